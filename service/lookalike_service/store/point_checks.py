"""What is checked of points before any engine sees them; the engines differ over bad ones, or take them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidField, InvalidVector, WrongDimension
from lookalike_service.schemas.metadata import DEEPEST, check_values
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Point, Vector

_ADDED = frozenset({"clusters", "confidences"})
_SMALL, _LARGE = 1e-100, 1e100  # norms whose squares are safely within float64


def check_page(limit: int, offset: int = 0) -> None:
    """Raise InvalidField for a page of nothing."""
    if limit < 1 or offset < 0:
        raise InvalidField(f"limit must be ≥ 1 and offset ≥ 0, not {limit} and {offset}")


def read_cursor(text: str) -> str:
    """The id that a cursor stands for. Raises InvalidField."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidField(f"cursor {text!r} is not one that a page was answered with") from None


def without_labels_in(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """`clusters` and `confidences` are what reading adds; labels are kept elsewhere."""
    if _ADDED.isdisjoint(payload):
        return payload
    return {key: value for key, value in payload.items() if key not in _ADDED}


def check_payloads(points: Sequence[Point], payloads: Sequence[Mapping[str, Any]]) -> None:
    """All at once, which is faster; one by one to name the bad one."""
    try:
        for payload in payloads:
            check_values(payload.values(), DEEPEST)
        json.dumps(payloads, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError):
        for point, payload in zip(points, payloads, strict=True):
            check_payload(point.id, payload)


def check_payload(id: str, payload: Mapping[str, Any]) -> None:
    """Refuse what JSON cannot carry (NaN, lone surrogates), or not every engine reads back."""
    try:
        check_values(payload.values(), DEEPEST)
    except ValueError as error:
        raise InvalidField(f"the payload of point {id} cannot be stored: {error}") from None
    try:
        json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError) as error:
        raise InvalidField(f"the payload of point {id} is not JSON: {error}") from None


def unit_vectors(made: Sequence[tuple[str, Vector]], space: Space) -> NDArray[np.float32]:
    """The vectors of these ids as float32 (n, dim) of unit L2 norm. Raises for the first that cannot be."""
    shapes = {np.shape(vector) for _, vector in made}
    if shapes == {(space.dim,)}:
        wide = np.stack([vector for _, vector in made]).astype(np.float64)
        norms = np.linalg.norm(wide, axis=1)
        if ((norms > _SMALL) & (norms < _LARGE)).all():
            return np.asarray(wide / norms[:, None], np.float32)
    rows = [unit_vector(vector, space, f"point {id}") for id, vector in made]
    return np.stack(rows) if rows else np.empty((0, space.dim), np.float32)


def unit_vector(vector: Vector, space: Space, whose: str) -> Vector:
    """The vector as float32 (dim,) of unit L2 norm; `whose` it is goes into the error."""
    wide = np.asarray(vector, np.float64)
    if wide.shape != (space.dim,):
        raise WrongDimension(
            f"the vector of {whose} has shape {list(wide.shape)}; "
            f"{space.model} makes vectors of {space.dim} numbers"
        )
    if not np.isfinite(wide).all():
        raise InvalidVector(f"the vector of {whose} holds NaN or infinity")
    largest = np.abs(wide).max()
    if largest == 0:
        raise InvalidVector(f"the vector of {whose} is all zeros: it has no direction")
    wide = wide / largest  # so that the norm neither overflows nor vanishes
    return np.asarray(wide / np.linalg.norm(wide), np.float32)
