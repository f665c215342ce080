"""The id that a request goes by in its answer, in the log and in traces."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

REQUEST_ID = b"x-request-id"
_GIVEN = re.compile(rb"[!-~]{1,64}")


def id_of(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own, if it is printable and no longer than 64 characters; else a new one."""
    given = headers.get(REQUEST_ID, b"")
    if _GIVEN.fullmatch(given):
        return given.decode()
    # It only has to differ. A UUID asks the system for entropy, which lets other threads in between.
    return f"{random.getrandbits(128):032x}"
