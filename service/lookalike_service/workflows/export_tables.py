"""An export as a table: CSV, JSON lines or Parquet, a page of images at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from lookalike_service.store.protocol import Store
from lookalike_service.workflows.drain import Drain
from lookalike_service.workflows.export import COLUMNS, Export, Row, pages

_PAGE = 1_000


def csv_chunks(store: Store, export: Export) -> Iterator[bytes]:
    """CSV with a heading (RFC 4180, UTF-8); `metadata` is JSON, what is unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    yield text.getvalue().encode()
    for rows in _rows(store, export):
        text = io.StringIO()
        csv.writer(text).writerows(_flat(row).values() for row in rows)
        yield text.getvalue().encode()


def jsonl_chunks(store: Store, export: Export) -> Iterator[bytes]:
    """A JSON object on each line."""
    for rows in _rows(store, export):
        yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def parquet_chunks(store: Store, export: Export) -> Iterator[bytes]:
    """Apache Parquet, a row group for each page; `metadata` is JSON."""
    # Imported late: it takes a while, and few ask for it.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {"label": pa.int64(), "confidence": pa.float64()}
    types |= {"width": pa.int64(), "height": pa.int64()}
    schema = pa.schema([(column, types.get(column, pa.string())) for column in COLUMNS])
    drain = Drain()
    with pq.ParquetWriter(pa.PythonFile(drain, mode="w"), schema) as writer:
        for rows in _rows(store, export):
            flat = [_flat(row) for row in rows]
            writer.write_table(pa.Table.from_pylist(flat, schema=schema))
            yield drain.take()
    yield drain.take()


def _rows(store: Store, export: Export) -> Iterator[list[Row]]:
    for page in pages(store, export, size=_PAGE):
        yield [row for row, _ in page]


def _flat(row: Row) -> dict[str, Any]:
    return row | {"metadata": json.dumps(row["metadata"], ensure_ascii=False)}
