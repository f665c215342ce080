"""The headers of a request, read once, and the id that it goes by in its answer, in the log and in traces."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

REQUEST_ID = b"x-request-id"
_GIVEN = re.compile(rb"[!-~]{1,64}")


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """By name in lower case; of several with one name the first, as routes read them."""
    return dict(reversed(scope["headers"]))


def id_of(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own, if it is printable and no longer than 64 characters; else a new one."""
    given = headers.get(REQUEST_ID, b"")
    if _GIVEN.fullmatch(given):
        return given.decode()
    # It only has to differ. A UUID asks the system for entropy, which lets other threads in between.
    return f"{random.getrandbits(128):032x}"
