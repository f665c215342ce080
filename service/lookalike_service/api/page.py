"""The web page: its files, which come packed with the service, and the policy that browsers hold it to."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Request, Response

from lookalike_service.api.security import guarded_router, public
from lookalike_service.errors import NotFound

UI = Path(__file__).parents[1] / "ui"
"""What `npm run build` in clients/explorer writes."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "worker-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
# Names of built files carry a hash of their content, so that a copy never goes stale.
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"

router = guarded_router(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file of the page, as it is and compressed."""

    plain: bytes
    gzipped: bytes
    media_type: str
    etag: str


@router.api_route("/", methods=["GET", "HEAD"])
@public
def index(request: Request) -> Response:
    """The page."""
    return _answer(request, "index.html", _ASK_FIRST)


@router.api_route("/icon.svg", methods=["GET", "HEAD"])
@public
def icon(request: Request) -> Response:
    """Its icon."""
    return _answer(request, "icon.svg", _ASK_FIRST)


@router.api_route("/assets/{name}", methods=["GET", "HEAD"])
@public
def asset(request: Request, name: str) -> Response:
    """A script, a style sheet or a picture of the page, or the licences of what is in it."""
    hashed = name != "licenses.txt"
    return _answer(request, f"assets/{name}", _FOR_EVER if hashed else _ASK_FIRST)


def _answer(request: Request, path: str, caching: str) -> Response:
    """Raises NotFound for what is no file of the page."""
    file = _files().get(path)
    if file is None:
        raise NotFound(
            f"The page has no file '{path:.80}'; reload it if it is of an older version."
        )
    headers = {
        "Cache-Control": caching,
        "Content-Security-Policy": POLICY,
        "ETag": file.etag,
        "Referrer-Policy": "same-origin",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.plain, headers=headers, media_type=file.media_type)
    headers["Content-Encoding"] = "gzip"
    return Response(file.gzipped, headers=headers, media_type=file.media_type)


@cache
def _files() -> dict[str, PackedFile]:
    """What is served, by path: read once, so that it stays of one version, and nothing else can be named."""
    packed = (path for path in UI.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(UI).as_posix(): _packed(path) for path in packed}


def _packed(path: Path) -> PackedFile:
    plain = path.read_bytes()
    etag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
    return PackedFile(plain, gzip.compress(plain, mtime=0), _TYPES[path.suffix], etag)
