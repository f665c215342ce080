"""A map as an Arrow table, streamed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from lookalike_service.store.protocol import Filter, Store
from lookalike_service.workflows.map_columns import column
from lookalike_service.workflows.map_points import read

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
_AXES = ("x", "y", "z")
_ROWS = 8_192


def stream(
    store: Store,
    collection: str,
    name: str,
    columns: list[str],
    filter: Filter | None = None,
) -> Iterator[bytes]:
    """The Arrow IPC stream of a projection, in parts of some thousand points.

    Columns: `id`, `x`, `y` (`z`), `distortion` and `later` (see `MapPoints`), and those asked for, under
    their paths. Its schema's metadata holds the projection's description under `projection`. With a
    filter the images that match. Raises UnknownProjection, InvalidField and InvalidFilter before the first
    part.
    """
    found = read(store, collection, name, filter)
    arrays: dict[str, Any] = {
        "id": pa.array(found.keys, pa.string()),
        **dict(zip(_AXES, map(pa.array, found.coordinates.T), strict=False)),
        "distortion": pa.array(found.distortion, from_pandas=True),  # NaN becomes null
        "later": pa.array(found.later),
        **{path: _typed(column(found.payloads, path)) for path in columns},
    }
    described = {"projection": found.run.model_dump_json()}
    return _parts(pa.table(arrays).replace_schema_metadata(described))


def _typed(values: list[Any]) -> Any:
    """Of one type if all are numbers, or all texts, or all booleans; else as JSON texts."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {str, bool}):
        wanted = pa.float64() if float in kinds else None
        return pa.array(values, wanted)
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


class _Parts(io.RawIOBase):
    """Takes what is written, for it to be taken away again."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._written.append(bytes(data))
        return len(self._written[-1])

    def take(self) -> bytes:
        parts, self._written = b"".join(self._written), []
        return parts


def _parts(table: Any) -> Iterator[bytes]:
    sink = _Parts()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=_ROWS):
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()
