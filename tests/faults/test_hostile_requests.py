"""Requests that no client of ours makes are answered with a documented error, and harm nobody."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from examples.demo.server import LiveService
from tests.faults.hostile_requests import COLLECTION, EMBED, IDS, IMAGES, odd_requests
from tests.faults.live import PATIENCE, assert_unharmed
from tests.pictures import jpeg

JPEG = {"content-type": "image/jpeg"}


@pytest.fixture(scope="module")
def service(fragile: LiveService) -> Iterator[LiveService]:
    assert httpx.put(f"{fragile.url}{COLLECTION}", json={}).status_code == 201
    yield fragile
    assert_unharmed(fragile)


@pytest.fixture(scope="module")
def http(service: LiveService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def documented(http: httpx.Client) -> dict[str, set[str]]:
    """The error codes that the document lists for a call, by path."""
    paths = http.get("/openapi.json").json()["paths"]
    return {
        path: {
            code for response in calls["post"]["responses"].values() for code in _examples(response)
        }
        for path, calls in paths.items()
        if "post" in calls
    }


def _examples(response: dict[str, Any]) -> set[str]:
    return set(response.get("content", {}).get("application/problem+json", {}).get("examples", ()))


@pytest.mark.parametrize("name", odd_requests())
def test_an_odd_request_is_answered_as_documented(
    http: httpx.Client, documented: dict[str, set[str]], name: str
) -> None:
    odd = odd_requests()[name]
    headers = {} if odd.kind is None else {"content-type": odd.kind}
    answer = http.post(odd.path, content=odd.body, headers=headers)
    code = code_of(answer)
    assert code in odd.codes, answer.text[:500]
    if code is not None:
        template = odd.path.replace("/odd", "/{collection}")
        assert code in documented[template], answer.text[:500]
    assert http.post(EMBED, content=jpeg(), headers=JPEG).status_code == 200


def code_of(answer: httpx.Response) -> str | None:
    """The error's code, also of the only item of a batch; None for a success."""
    if answer.is_success:
        item = answer.json().get("items", [{}])[0]
        return (item.get("error") or {"code": None})["code"]  # type: ignore[no-any-return] # JSON
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    code: str = answer.json()["code"]
    return code


@pytest.mark.parametrize("name", IDS)
def test_an_id_of_any_characters_comes_back_as_it_was_given(http: httpx.Client, name: str) -> None:
    id = IDS[name]
    url = f"{IMAGES}/{quote(id, safe='')}"
    sent = http.post(IMAGES, files={"images": jpeg()}, data={"ids": json.dumps([id])})
    assert sent.status_code == 200, sent.text
    assert sent.json()["items"][0]["id"] == id
    assert http.get(url).json()["id"] == id
    assert http.get(f"{url}/thumbnail").status_code == 200
    patched = http.patch(url, json={"metadata": {"id": id}})
    assert patched.json()["metadata"]["id"] == id, patched.text
    hits = http.post(f"{COLLECTION}/search", json={"id": id, "limit": 1})
    assert hits.status_code == 200, hits.text
    only = {"must": [{"key": "metadata.id", "match": {"value": id}}]}
    listed = http.get(IMAGES, params={"filter": json.dumps(only)})
    assert [image["id"] for image in listed.json()["images"]] == [id], listed.text
    assert http.delete(url).is_success
    assert http.get(url).status_code == 404


WIRE = {
    "nothing": b"",
    "no HTTP": b"\x16\x03\x01\x02\0\x01\0" + bytes(100),
    "half a request line": b"GET /liv",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "an unknown method": b"BREW /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an unknown version": b"GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "a path that is no text": b"GET /\xff\xfe\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path of 1 MB": b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header of 1 MB": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: "
    + b"a" * 2**20
    + b"\r\n\r\n",
    "10,000 headers": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    + b"X-A: a\r\n" * 10_000
    + b"\r\n",
    "a negative length": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nx",
    "a length that is no number": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\nx",
    "two lengths": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "a length beyond 64 bits": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    % 2**70,
    "length and chunks": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a chunk of a wrong size": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
    "an upgrade": b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "a header that breaks the line": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\x00\r\n\r\n",
    "100 requests at once": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100,
}


@pytest.mark.parametrize("name", WIRE)
def test_bytes_that_are_no_request_cost_their_connection_alone(
    service: LiveService, http: httpx.Client, name: str
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
        with contextlib.suppress(OSError):  # it may hang up before it was told everything
            connection.sendall(WIRE[name])
            connection.shutdown(socket.SHUT_WR)
        answered = received(connection)
    assert not answered.startswith(b"HTTP/1.1 5"), answered[:300]
    assert http.post(EMBED, content=jpeg(), headers=JPEG).status_code == 200


def received(connection: socket.socket) -> bytes:
    """All that comes before the other side hangs up."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            got += piece
    return got
