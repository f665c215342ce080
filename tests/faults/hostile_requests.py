"""Requests that no client of ours makes: bodies as bytes, beside the headers that come with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from tests.pictures import jpeg

EMBED = "/v1/embed"
COLLECTION = "/v1/collections/odd"
IMAGES, SEARCH = f"{COLLECTION}/images", f"{COLLECTION}/search"
BOUNDARY = "multipart/form-data; boundary=b"


@dataclass(frozen=True)
class Odd:
    """One request; `codes` it may be answered with, None among them for a success."""

    path: str
    body: bytes
    kind: str | None
    codes: tuple[str | None, ...]


def part(disposition: str, body: bytes, *more: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *more]
    return (
        b"--b\r\n"
        + "\r\n".join(lines).encode("utf-8", "surrogatepass")
        + b"\r\n\r\n"
        + body
        + b"\r\n"
    )


PICTURE = part('form-data; name="images"; filename="a"', jpeg())
END = b"--b--\r\n"
UNREADABLE = ("invalid_request",)
REFUSED = ("invalid_request", "missing_part", "invalid_field")


def multiparts() -> dict[str, Odd]:
    nested = b"--c\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n--c--\r\n"
    bodies: dict[str, tuple[bytes, str, tuple[str | None, ...]]] = {
        "without a boundary": (PICTURE + END, "multipart/form-data", UNREADABLE),
        "of another boundary": (PICTURE + END, "multipart/form-data; boundary=other", REFUSED),
        "of an empty boundary": (PICTURE + END, "multipart/form-data; boundary=", REFUSED),
        "of a boundary of 100 kB": (PICTURE, f"multipart/form-data; boundary={'b' * 50_000}", REFUSED),
        "of nothing": (b"", BOUNDARY, REFUSED),
        "of its end alone": (END, BOUNDARY, REFUSED),
        "without its end": (PICTURE, BOUNDARY, (None, *REFUSED)),
        "cut in a header": (PICTURE[:30], BOUNDARY, REFUSED),
        "cut in the picture": (PICTURE[:300], BOUNDARY, ("truncated_image", *REFUSED)),
        "in another": (
            part('form-data; name="images"', nested, "Content-Type: multipart/mixed; boundary=c") + END,
            BOUNDARY, REFUSED,
        ),
        "of a part without a name": (part('form-data; filename="a"', jpeg()) + END, BOUNDARY, REFUSED),
        "of a part without a disposition": (b"--b\r\n\r\nx\r\n" + END, BOUNDARY, REFUSED),
        "of an attachment": (part("attachment", jpeg()) + END, BOUNDARY, REFUSED),
        "of a name of 100 kB": (part(f'form-data; name="{"n" * 100_000}"', b"x") + END, BOUNDARY, REFUSED),
        "of a name that is no text": (
            part('form-data; name="\udcff\udc80"; filename="a"', jpeg()) + END, BOUNDARY, REFUSED,
        ),
        "of a file name with a path": (
            part('form-data; name="images"; filename="../../etc/passwd"', jpeg()) + END, BOUNDARY, (None,),
        ),
        "of a file name with a null": (
            part('form-data; name="images"; filename="a\0b"', jpeg()) + END, BOUNDARY, (None, *REFUSED),
        ),
        "of a header of 1 MB": (
            part('form-data; name="images"; filename="a"', jpeg(), f"X-A: {'a' * 2**20}") + END,
            BOUNDARY, (None, *REFUSED),
        ),
        "of 10,000 headers": (
            part('form-data; name="images"; filename="a"', jpeg(), *["X-A: a"] * 10_000) + END,
            BOUNDARY, (None, *REFUSED),
        ),
        "of 5,000 pictures": (PICTURE * 5000 + END, BOUNDARY, ("too_many_images",)),
        "of 5,000 fields": (part('form-data; name="f"', b"x") * 5000 + END, BOUNDARY, REFUSED),
        "of a field of 20 MB": (
            part('form-data; name="f"', b"x" * (20 * 2**20)) + END, BOUNDARY, REFUSED,
        ),
        "of 100,000 line breaks": (b"\r\n" * 100_000 + PICTURE + END, BOUNDARY, (None, *REFUSED)),
        "of a strange character set": (
            PICTURE + END, BOUNDARY + "; charset=utf-7-imap4", (None, *REFUSED),
        ),
        "of a transfer encoding": (
            part('form-data; name="images"; filename="a"', b"AAAA", "Content-Transfer-Encoding: base64")
            + END,
            BOUNDARY, ("unsupported_image",),
        ),
    }  # fmt: skip
    return {f"multipart {name}": Odd(EMBED, *rest) for name, rest in bodies.items()}


def contents() -> dict[str, Odd]:
    unsupported = ("unsupported_media_type",)
    kinds: dict[str, tuple[str | None, tuple[str | None, ...]]] = {
        "no type": (None, unsupported),
        "an empty type": ("", unsupported),
        "a type of text": ("text/plain", unsupported),
        "a type of SVG": ("image/svg+xml", (None,)),  # what it is, its first bytes say
        "a type of another image": ("image/png", (None,)),
        "a type of no words": (";;;=", unsupported),
        "a type of 40 kB": ("x" * 40_000, unsupported),
        "a type of two": ("image/jpeg, application/json", (None, *unsupported)),
        "a form's type": ("application/x-www-form-urlencoded", unsupported),
        "a type of JSON": ("application/json", UNREADABLE),
        "a type of multipart": ("multipart/mixed; boundary=b", unsupported),
    }
    return {f"a JPEG with {name}": Odd(EMBED, jpeg(), *rest) for name, rest in kinds.items()}


def jsons() -> dict[str, Odd]:
    invalid = (
        "invalid_request",
        "invalid_field",
        "invalid_vector",
        "wrong_dimension",
        "missing_part",
    )
    vector = b'{"vector": [%s]}'
    bodies: dict[str, tuple[str, bytes, tuple[str | None, ...]]] = {
        "nothing": (EMBED, b"", UNREADABLE),
        "not JSON": (EMBED, b"{", UNREADABLE),
        "nested 100,000 deep": (EMBED, b"[" * 100_000, UNREADABLE),
        "nested and closed": (EMBED, b'{"images":' + b"[" * 50_000 + b"]" * 50_000 + b"}", invalid),
        "a filter nested 5,000 deep": (
            SEARCH, b'{"id":"a","filter":' + b'{"must":[' * 5000 + b"]}" * 5000 + b"}",
            ("invalid_filter", *invalid),
        ),
        "a list": (EMBED, b"[]", invalid),
        "null": (EMBED, b"null", invalid),
        "a number": (SEARCH, b"1e999", invalid),
        "a huge number": (SEARCH, b'{"id":"a","limit":' + b"9" * 5000 + b"}", invalid),
        "a number beyond 64 bits": (SEARCH, b'{"id":"a","limit":18446744073709551617}', invalid),
        "NaN": (SEARCH, vector % b", ".join([b"NaN"] * 192), invalid),
        "Infinity": (SEARCH, vector % b", ".join([b"Infinity"] * 192), invalid),
        "1e999": (SEARCH, vector % b", ".join([b"1e999"] * 192), invalid),
        "1e39, too large for 32 bits": (SEARCH, vector % b", ".join([b"1e39"] * 192), (None,)),
        "numbers too small for 32 bits": (SEARCH, vector % b", ".join([b"1e-300"] * 192), (None,)),
        "a million numbers": (SEARCH, vector % b",".join([b"1"] * 10**6), invalid),
        "a key twice": (SEARCH, b'{"id":"a","id":"b"}', ("unknown_image", *invalid)),
        "invalid UTF-8": (SEARCH, b'{"id":"\xff\xfe"}', invalid),
        "UTF-16": (SEARCH, '{"id":"a"}'.encode("utf-16"), invalid),
        "a byte order mark": (SEARCH, b'\xef\xbb\xbf{"id":"a"}', ("unknown_image", *invalid)),
        "a null in an id": (SEARCH, b'{"id":"a\\u0000b"}', ("unknown_image", *invalid)),
        "a lone surrogate in an id": (SEARCH, b'{"id":"\\ud800"}', ("unknown_image", *invalid)),
        "a lone surrogate in a filter": (
            SEARCH,
            b'{"vector":%s,"filter":{"must":[{"key":"metadata.a","match":{"value":"\\udfff"}}]}}'
            % json.dumps([1.0] * 192).encode(),
            (None, "invalid_filter", *invalid),
        ),
        "a text for a vector": (SEARCH, b'{"vector":"abc"}', invalid),
        "base64 that is none": (EMBED, b'{"images":[{"base64":"###"}]}', invalid),
        "base64 in Unicode": (EMBED, '{"images":[{"base64":"ÀÀÀÀ"}]}'.encode(), invalid),
        "base64 of bad length": (EMBED, b'{"images":[{"base64":"AAAAA"}]}', invalid),
        "base64 of nothing": (EMBED, b'{"images":[{"base64":""}]}', ("empty_image",)),
        "a data URL without data": (EMBED, b'{"images":[{"base64":"data:"}]}', ("empty_image", *invalid)),
        "an address for an image": (
            EMBED, b'{"images":[{"base64":"file:///etc/passwd"}]}', invalid,
        ),
        "a million images": (EMBED, b'{"images":[%s]}' % b",".join([b"{}"] * 10**6), invalid),
        "a million members": (
            EMBED, b"{%s}" % b",".join(b'"%d":0' % i for i in range(10**6)), ("body_too_large",),
        ),
        "20 million values": (EMBED, b'{"images":[%s0]}' % (b"0," * 20_000_000), ("body_too_large",)),
    }  # fmt: skip
    return {f"JSON: {name}": Odd(p, b, "application/json", c) for name, (p, b, c) in bodies.items()}


def calls() -> dict[str, Odd]:
    """Bodies of calls that take JSON alone, and of none that we know."""
    cluster = f"{COLLECTION}/clusterings"
    invalid = ("invalid_request", "invalid_field", "missing_part", "invalid_parameters")
    bodies: dict[str, tuple[bytes, str | None, tuple[str | None, ...]]] = {
        "nothing": (b"", "application/json", invalid),
        "JSON nested 100,000 deep": (b"[" * 100_000, "application/json", invalid),
        "invalid UTF-8": (b'{"algorithm":"\xff"}', "application/json", invalid),
        "a lone surrogate": (b'{"algorithm":"\\ud800"}', "application/json", invalid),
        "a number of 5,000 digits": (b'{"seed":%s}' % (b"9" * 5000), "application/json", invalid),
        "NaN": (b'{"parameters":{"k":NaN}}', "application/json", invalid),
        "a million members": (
            b"{%s}" % b",".join(b'"%d":0' % i for i in range(10**6)), "application/json",
            ("body_too_large",),
        ),
        "no type": (b"{}", None, invalid),
        "a form": (b"algorithm=kmeans", "application/x-www-form-urlencoded", invalid),
    }  # fmt: skip
    return {f"clustering by {name}": Odd(cluster, *rest) for name, rest in bodies.items()}


def images() -> dict[str, Odd]:
    """Metadata and ids as they are sent with an image that is to be indexed."""
    sound = part('form-data; name="images"; filename="a"', jpeg())

    def sent(field: str, value: bytes) -> bytes:
        return sound + part(f'form-data; name="{field}"', value) + END

    wrong = ("invalid_field", "invalid_request")
    fields: dict[str, tuple[str, bytes, tuple[str | None, ...]]] = {
        "metadata that is no JSON": ("metadata", b"{", wrong),
        "metadata of 5,000 levels": ("metadata", b'[{"a":' + b"[" * 5000 + b"]" * 5000 + b"}]", wrong),
        "metadata of 60 levels": ("metadata", b'[{"a":' + b"[" * 60 + b"]" * 60 + b"}]", (None, *wrong)),
        "metadata with NaN": ("metadata", b'[{"a":NaN}]', wrong),
        "metadata with 1e999": ("metadata", b'[{"a":1e999}]', (None, *wrong)),
        "metadata with a huge number": ("metadata", b'[{"a":%s}]' % (b"9" * 400), (None, *wrong)),
        "metadata beyond 64 bits": ("metadata", b'[{"a":18446744073709551617}]', (None, *wrong)),
        "metadata below 64 bits": ("metadata", b'[{"a":-9223372036854775809}]', (None, *wrong)),
        "metadata with a lone surrogate": ("metadata", b'[{"a":"\\ud800"}]', wrong),
        "metadata with a surrogate key": ("metadata", b'[{"\\udc00":1}]', wrong),
        "metadata with nulls": ("metadata", b'[{"a\\u0000":"b\\u0000"}]', (None, *wrong)),
        "metadata in invalid UTF-8": ("metadata", b'[{"a":"\xff"}]', (None, *wrong)),
        "metadata with a key twice": ("metadata", b'[{"a":1,"a":2}]', (None, *wrong)),
        "metadata with odd keys": (
            "metadata", '[{"":1,"a.b":2,"a[]":3,"__proto__":4,"clé":5,"\\n":6}]'.encode(), (None, *wrong),
        ),
        "metadata of 1 MB": ("metadata", b'[{"a":"%s"}]' % (b"x" * 2**20), (None, *wrong)),
        "metadata of 10,000 keys": (
            "metadata", json.dumps([{f"k{i}": i for i in range(10_000)}]).encode(), (None, *wrong),
        ),
        "ids that are no list": ("ids", b'{"a":1}', wrong),
        "an id that is a number": ("ids", b"[1]", wrong),
        "an id of nothing": ("ids", b'[""]', wrong),
        "an id of a lone surrogate": ("ids", b'["\\ud83d"]', wrong),
        "an id of 1 MB": ("ids", b'["%s"]' % (b"x" * 2**20), (None, *wrong)),
        "more ids than images": ("ids", b'["a","b"]', wrong),
    }  # fmt: skip
    return {
        f"indexing with {name}": Odd(IMAGES, sent(field, value), BOUNDARY, codes)
        for name, (field, value, codes) in fields.items()
    }


IDS = {
    "a slash": "a/b/c",
    "two dots": "../../etc/passwd",
    "a question mark": "a?b=c#d",
    "a percent": "100%25",
    "a space": " a b ",
    "a line break": "a\nb",
    "a tab": "\t",
    "a null": "a\0b",
    "a backslash": "a\\b",
    "quotes": "\"'`",
    "an emoji of seven": "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "Arabic": "صورة",
    "Hebrew with marks": "\u05ea\u05bc\u05b0\u05de\u05d5\u05bc\u05e0\u05b8\u05d4",
    "Chinese": "图像",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "a right-to-left mark": "a\u202eb",
    "a space of no width": "a\u200bb",
    "a private character": "\ue000",
    "no character": "\uffff",
    "the last one": "\U0010ffff",
    "a byte order mark": "\ufeffa",
    "a control": "\x7f\x9f",
    "512 letters": "x" * 512,
    "SQL": "'; DROP TABLE--",
    "a template": "{{7*7}}${7*7}",
    "a UUID": "00000000-0000-0000-0000-000000000000",
    "a number": "123",
}


@cache
def odd_requests() -> dict[str, Odd]:
    return multiparts() | contents() | jsons() | images() | calls()
