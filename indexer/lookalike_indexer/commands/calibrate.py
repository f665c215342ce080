"""`lookalike calibrate`."""

from __future__ import annotations

import typer

from lookalike_indexer.options import ApiKey, CollectionArgument, Json, SeedOption, Url, connect
from lookalike_indexer.output import print_json
from lookalike_indexer.waiting import wait


def calibrate(
    collection: CollectionArgument,
    *,
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Measure how alike unrelated images of a collection are; hits then say what their scores mean."""
    with connect(url, api_key) as client:
        images = client.collection(collection)
        wait(images.calibrate(seed=seed))
        found = images.calibration()
    if json:
        print_json(found)
        return
    alike = "not told apart" if found.near_duplicate is None else f"from {found.near_duplicate:.4f}"
    typer.echo(
        f"{collection}: similar from {found.similar:.4f}, near duplicates {alike}; by {found.pairs} pairs "
        f"of {found.images} images out of {found.points}, in {found.seconds:.1f} s"
    )
