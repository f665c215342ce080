"""`lookalike collections`."""

from __future__ import annotations

from lookalike_indexer.options import ApiKey, Json, Url, connect
from lookalike_indexer.output import print_json, print_table


def collections(url: Url = None, api_key: ApiKey = None, json: Json = False) -> None:
    """List the collections with their encoders and numbers of images."""
    with connect(url, api_key) as client:
        found = client.collections()
    if json:
        for collection in found:
            print_json(collection)
        return
    print_table(
        ("collection", "images", "model", "dim", "filter by"),
        ((c.name, c.points, c.model, c.dim, ", ".join(sorted(c.indexes))) for c in found),
    )
