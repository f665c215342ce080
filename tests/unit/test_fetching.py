"""Pictures from URLs: listed hosts and public addresses alone, also after redirects and rebinding."""

from __future__ import annotations

import gzip
import ipaddress
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from lookalike_service.errors import ImageTooLarge, LookalikeError, UrlFailed, UrlRefused
from lookalike_service.fetching.allowed import is_public
from lookalike_service.fetching.fetcher import Fetcher
from lookalike_service.settings import Settings
from tests.fakes.loopback import listening
from tests.pictures import jpeg

PICTURE = jpeg()
LOOPBACK = "127.0.0.1"


class Pictures(BaseHTTPRequestHandler):
    """A host of pictures, and of much that is none."""

    requests: list[tuple[str, str]] = []  # noqa: RUF012 - one list for all handlers, which are one per request
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        Pictures.requests.append((self.headers["Host"].partition(":")[0], self.path))
        name = self.path.lstrip("/").partition("?")[0]
        getattr(self, f"_{name}", self._missing)()

    def _answer(
        self, status: int, body: bytes = b"", *, length: int | None = -1, **headers: str
    ) -> None:
        """`length`: what is said of the body's, None for nothing."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length if length >= 0 else len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _picture(self) -> None:
        self._answer(200, PICTURE)

    def _missing(self) -> None:
        self._answer(404, b"nothing here")

    def _to(self) -> None:
        self._answer(302, Location=self.path.partition("?")[2])

    def _loop(self) -> None:
        self._answer(301, Location="/loop")

    def _nowhere(self) -> None:
        self._answer(302)

    def _declared_large(self) -> None:
        self._answer(200, b"x", length=10_000_000)

    def _endless(self) -> None:
        self._answer(200, length=None)
        try:
            while True:
                self.wfile.write(bytes(100_000))
        except OSError:  # the other side had enough
            self.close_connection = True

    def _packed(self) -> None:
        body = gzip.compress(bytes(1_000_000))
        self._answer(200, body, Content_Encoding="gzip")

    def _slow(self) -> None:
        self._answer(200, length=100_000)
        try:
            for _ in range(50):
                self.wfile.write(b"x")
                time.sleep(0.1)
        except OSError:
            self.close_connection = True

    def _half(self) -> None:
        self._answer(200, PICTURE[:100], length=len(PICTURE))
        self.close_connection = True

    def _headers(self) -> None:
        told = "\n".join(f"{key}: {value}" for key, value in self.headers.items())
        self._answer(200, told.encode())

    def log_message(self, *_: Any) -> None:
        pass


class Names:
    """A resolver that answers as told: the addresses of a host, one list for each time it is asked."""

    def __init__(self, **hosts: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in hosts.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, _: int) -> list[str]:
        self.asked.append(host)
        if host not in self.answers:
            raise OSError("unknown host")
        lists = self.answers[host]
        return lists.pop(0) if len(lists) > 1 else lists[0]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(Pictures) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture(autouse=True)
def _forget() -> None:
    Pictures.requests.clear()


def fetcher(port: int, names: Names, **settings: Any) -> Fetcher:
    """One that takes the loopback server for a public one, and no other private address."""
    patterns = (f"*.test:{port}", f"{LOOPBACK}:{port}", f"169.254.169.254:{port}", "*")
    configured = Settings(**{"url_hosts": patterns, "max_image_bytes": 200_000, **settings})

    def allowed(address: str) -> bool:
        return is_public(address) or address == LOOPBACK

    return Fetcher(configured, names, allowed)


async def fetch(
    port: int, path: str, names: Names | None = None, **settings: Any
) -> bytes | LookalikeError:
    (found,) = await fetcher(port, names or Names(a_test=[[LOOPBACK]]), **settings).fetch_all(
        [f"http://a.test:{port}/{path}"]
    )
    return found


async def test_a_picture_is_fetched(port: int) -> None:
    assert await fetch(port, "picture") == PICTURE


async def test_one_bad_url_fails_alone(port: int) -> None:
    urls = [f"http://a.test:{port}/{path}" for path in ("picture", "missing", "picture")]
    found = await fetcher(port, Names(a_test=[[LOOPBACK]])).fetch_all([*urls, "ftp://a.test/x"])
    assert found[0] == found[2] == PICTURE
    assert isinstance(found[1], UrlFailed)
    assert "404" in found[1].detail
    assert isinstance(found[3], UrlRefused)


async def test_nothing_is_fetched_unless_hosts_are_listed(port: int) -> None:
    names = Names(a_test=[[LOOPBACK]])
    found = await fetch(port, "picture", names, url_hosts=())
    assert isinstance(found, UrlRefused)
    assert "LOOKALIKE_URL_HOSTS" in found.detail
    assert not names.asked


@pytest.mark.parametrize("url", [
    "ftp://a.test/x", "file:///etc/passwd", "gopher://a.test", "/etc/passwd", "", "http://", "//a.test/x",
    "http://user@a.test/x", "http://user:pass@a.test/x", "http://:@@a.test", "http://a.test:99999/",
    "http://a.test:22/", "https://a.test:6333/", "http://[::1", "http://a test/", "javascript:alert(1)",
    "http://\x00a.test/", "http://b.other/x", "http://a.test.evil.example/", "unix:///run/x.sock",
    "http://a.test\\@evil.example/", "data:image/png;base64,AAAA", "http://xn--\xff/",
])  # fmt: skip
async def test_a_url_that_is_not_of_a_listed_host_is_refused_unasked(port: int, url: str) -> None:
    names = Names()
    found = await fetcher(port, names, url_hosts=("*.test",)).fetch_all([url])
    assert isinstance(found[0], UrlRefused), found
    assert not names.asked


@pytest.mark.parametrize("host", [
    "127.0.0.1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::]",  # noqa: S104
    "[fe80::1]", "[64:ff9b::7f00:1]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost",
])  # fmt: skip
async def test_no_way_to_write_a_private_address_is_fetched(host: str) -> None:
    """By the machine's own resolver, which knows all the ways to write one."""
    found = await Fetcher(Settings(url_hosts=("*",))).fetch_all([f"http://{host}/"])
    assert isinstance(found[0], (UrlRefused, UrlFailed)), found
    if isinstance(found[0], UrlFailed):
        assert "unknown" in found[0].detail, "a name to this resolver, not an address"


async def test_a_host_with_one_private_address_among_public_ones_is_refused(port: int) -> None:
    names = Names(a_test=[[LOOPBACK, "10.0.0.1"]])
    assert isinstance(await fetch(port, "picture", names), UrlRefused)
    assert not Pictures.requests


async def test_a_name_is_asked_for_once_and_connected_to_where_it_was_checked(port: int) -> None:
    """DNS rebinding: the second answer would be private, and nobody asks for it."""
    names = Names(a_test=[[LOOPBACK], ["169.254.169.254"]])
    assert await fetch(port, "picture", names) == PICTURE
    assert names.asked == ["a.test"]


async def test_a_name_that_is_private_by_now_is_refused_in_a_redirect(port: int) -> None:
    names = Names(a_test=[[LOOPBACK], ["169.254.169.254"]])
    found = await fetch(port, "to?/picture", names)
    assert isinstance(found, UrlRefused)
    assert Pictures.requests == [("a.test", "/to?/picture")]


async def test_redirects_are_followed_within_the_list(port: int) -> None:
    names = Names(a_test=[[LOOPBACK]], b_test=[[LOOPBACK]])
    assert await fetch(port, f"to?http://b.test:{port}/picture", names) == PICTURE
    assert [host for host, _ in Pictures.requests] == ["a.test", "b.test"]


@pytest.mark.parametrize("target", [
    "http://169.254.169.254/latest/meta-data/", "http://169.254.169.254:{port}/picture",
    "http://[::ffff:a9fe:a9fe]/", "file:///etc/passwd", "http://user:pass@a.test:{port}/picture",
    "http://localhost:{port}/picture", "http://a.test:22/", "//10.0.0.1/",
])  # fmt: skip
async def test_a_redirect_to_what_may_not_be_fetched_is_refused(port: int, target: str) -> None:
    class Literals(Names):
        async def __call__(self, host: str, _: int) -> list[str]:
            try:
                return [str(ipaddress.ip_address(host))]
            except ValueError:
                return await super().__call__(host, _)

    names = Literals(a_test=[[LOOPBACK]], localhost=[["::1"]])
    found = await fetch(port, f"to?{target.format(port=port)}", names)
    assert isinstance(found, UrlRefused), found
    assert len(Pictures.requests) == 1


@pytest.mark.parametrize("path", ["loop", "nowhere"])
async def test_redirects_end(port: int, path: str) -> None:
    found = await fetch(port, path)
    assert isinstance(found, UrlFailed)
    assert len(Pictures.requests) == 4


@pytest.mark.parametrize("path", ["declared_large", "endless"])
async def test_a_picture_that_is_too_large_is_not_read_to_its_end(port: int, path: str) -> None:
    assert isinstance(await fetch(port, path), ImageTooLarge)


async def test_what_is_packed_is_not_unpacked(port: int) -> None:
    assert isinstance(await fetch(port, "packed"), UrlFailed)


async def test_a_host_that_is_slow_costs_the_time_allowed(port: int) -> None:
    found = await fetch(port, "slow", url_seconds=0.3)
    assert isinstance(found, UrlFailed)
    assert "0.3 s" in found.detail


async def test_a_picture_that_breaks_off_is_a_failure_and_no_picture(port: int) -> None:
    assert isinstance(await fetch(port, "half"), UrlFailed)


async def test_a_host_that_is_not_there_is_a_failure(port: int) -> None:
    found = await fetch(port, "picture", Names())
    assert isinstance(found, UrlFailed)
    with socketserver.TCPServer((LOOPBACK, 0), socketserver.BaseRequestHandler) as closed:
        silent = closed.server_address[1]
    url = f"http://{LOOPBACK}:{silent}/"
    settings = {"url_hosts": (f"{LOOPBACK}:{silent}",)}
    (found,) = await fetcher(port, Names(**{"127_0_0_1": [[LOOPBACK]]}), **settings).fetch_all(
        [url]
    )
    assert isinstance(found, UrlFailed)


async def test_the_pictures_of_a_request_are_no_larger_than_its_body_may_be(port: int) -> None:
    slow = fetcher(port, Names(a_test=[[LOOPBACK]]), max_body_bytes=len(PICTURE) * 2 + 10)
    found = await slow.fetch_all([f"http://a.test:{port}/picture"] * 5)
    assert sum(isinstance(one, ImageTooLarge) for one in found) >= 3


async def test_the_environment_gives_neither_proxy_nor_credentials(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    told = await fetch(port, "headers")
    assert isinstance(told, bytes)
    names = {line.partition(":")[0].lower() for line in told.decode().splitlines()}
    assert names == {"host", "accept", "accept-encoding", "user-agent"}


async def test_only_so_many_are_fetched_at_a_time() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    class Counted(Pictures):
        def do_GET(self) -> None:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.03)
            with lock:
                under_way -= 1
            self._answer(200, b"x")

    with listening(Counted) as url:
        port = int(url.rpartition(":")[2])
        found = await fetcher(port, Names(a_test=[[LOOPBACK]])).fetch_all(
            [f"http://a.test:{port}/"] * 30
        )
    assert found == [b"x"] * 30
    assert most <= 8
