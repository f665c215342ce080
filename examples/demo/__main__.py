"""Index pictures, find similar ones, explain why, cluster them and draw a map, into `demo/`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from examples.demo import pictures, sheet
from examples.demo.server import ServiceDidNotStart, live_service
from lookalike import Collection, IndexedImage, Lookalike

HITS, QUERIES = 5, 6
WHY = "coffee/1-2.jpg"
"""The tile whose likeness to its nearest neighbour is explained: a cup. Some other in your folder."""
console = Console()


def main() -> None:
    arguments = _arguments()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    folder: Path = arguments.images or out / "pictures"
    start = time.perf_counter()
    if arguments.images is None:
        console.print(f"{pictures.write_tiles(folder)} tiles of sample photographs in {folder}/")
    console.print("Starting the service ...")
    with (
        live_service(out / "data", out / "service.log") as service,
        Lookalike(service.url) as client,
    ):
        info = client.info()
        console.print(f"{info.model} on {info.device}, store: {info.store}")
        show(client, folder, out)
    console.print(f"\nDone in {time.perf_counter() - start:.0f} s. Look at:")
    for name in ("similar.png", "why.png", "map.png"):
        console.print(f"  {out / name}")
    console.print(
        f"To go on: .venv/bin/lookalike serve --data {out / 'data'}\n"
        "then open http://127.0.0.1:3000 (all calls: http://127.0.0.1:3000/openapi.json)"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="your own folder; default: sample photographs")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where the results go")
    return parser.parse_args()


def show(client: Lookalike, folder: Path, out: Path) -> None:
    """Everything the demo does with a running service."""
    # Each folder of pictures has a collection of its own, so that runs do not mix.
    collection = client.collection("demo" if folder == out / "pictures" else f"demo-{folder.name}")
    report = collection.index(folder)
    console.print(
        f"indexed {folder}: {report.created} created, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.failed} failed"
    )
    images = list(collection.images())
    if len(images) < 2:
        raise SystemExit("At least two readable pictures are needed.")
    similar(collection, images, folder, out / "similar.png")
    why(client, collection, images, folder, out / "why.png")
    labels = {image.metadata.get("label") for image in images}
    cluster(collection, len(labels) if len(labels) > 1 else min(8, len(images)))
    draw_map(
        collection, "metadata.label" if len(labels) > 1 else "clusters.kmeans", out / "map.png"
    )


def similar(
    collection: Collection, images: Sequence[IndexedImage], folder: Path, target: Path
) -> None:
    """Print precision of the neighbours over all images, and draw a few queries with their hits."""
    rows = list[tuple[Path, Sequence[sheet.Found]]]()
    right = total = 0
    shown = _varied(images, QUERIES)
    labelled = len({image.metadata.get("label") for image in images}) > 1
    for image in images:
        label = image.metadata.get("label")
        hits = collection.search(id=image.id, limit=HITS).hits
        matches = [hit.metadata.get("label") == label for hit in hits]
        right, total = right + sum(matches), total + len(matches)
        if image.id in shown:
            found = [
                sheet.Found(folder / hit.id, hit.score, match if labelled else None)
                for hit, match in zip(hits, matches, strict=True)
            ]
            rows.append((folder / image.id, found))
    sheet.draw(rows, target)
    _table(rows[0])
    if labelled:
        console.print(
            f"precision of the {HITS} nearest over {len(images)} queries: {right / total:.3f} "
            "(right: from the same folder)"
        )


def _varied(images: Sequence[IndexedImage], count: int) -> set[str]:
    """Ids of images that show different things: one per label, where there are enough of them."""
    by_label = {image.metadata.get("label"): image.id for image in sorted(images, key=_id)}
    ids = list(by_label.values()) if len(by_label) >= count else [image.id for image in images]
    return set(ids[:: max(1, len(ids) // count)][:count])


def _id(image: IndexedImage) -> str:
    return image.id


def _table(row: tuple[Path, Sequence[sheet.Found]]) -> None:
    query, found = row
    table = Table(title=f"similar to {query.parent.name}/{query.name}")
    table.add_column("score", justify="right")
    table.add_column("picture")
    for hit in found:
        table.add_row(f"{hit.score:.3f}", f"{hit.path.parent.name}/{hit.path.name}")
    console.print(table)


def why(
    client: Lookalike,
    collection: Collection,
    images: Sequence[IndexedImage],
    folder: Path,
    target: Path,
) -> None:
    """Draw what makes an image and its nearest neighbour alike: of a few, the first whose maps hold good."""
    shown = {image.id: image for image in images}
    queries = [shown[WHY]] if WHY in shown else []
    queries += [shown[id] for id in sorted(_varied(images, QUERIES))]
    pairs = [(query.id, collection.search(id=query.id, limit=1).hits[0]) for query in queries]
    id, hit = next(
        (pair for pair in pairs if _hold(client, folder / pair[0], folder / pair[1].id)), pairs[0]
    )
    target.write_bytes(client.explain(folder / id, folder / hit.id, as_png=True))
    console.print(f"why {id} and {hit.id} are alike ({hit.score:.3f}): {target}")


def _hold(client: Lookalike, query: Path, hit: Path) -> bool:
    """Whether the maps on both sides say more than maps of noise would."""
    found = client.explain(query, hit)
    maps = (found.map, found.reference_map)
    return all(
        m is not None and m.faithfulness is not None and m.faithfulness.verdict == "faithful"
        for m in maps
    )


def cluster(collection: Collection, k: int) -> None:
    """Cluster by k-means and HDBSCAN, and print what came out."""
    collection.cluster("kmeans", {"k": k}).wait()
    collection.cluster("hdbscan", {"min_cluster_size": 5}, reduction="pca:30").wait()
    table = Table(title="clusterings")
    for column in ("name", "clusters", "largest", "noise", "silhouette"):
        table.add_column(column, justify="left" if column == "name" else "right")
    for run in collection.clusterings():
        silhouette = run.diagnostics.get("silhouette")
        sizes = [cluster.size for cluster in run.clusters]
        table.add_row(
            run.name,
            str(len(sizes)),
            str(max(sizes, default=0)),
            str(run.noise),
            "-" if silhouette is None else f"{silhouette:.3f}",
        )
    console.print(table)


def draw_map(collection: Collection, color: str, target: Path) -> None:
    """Project with PCA and UMAP, and draw the latter."""
    collection.project("pca").wait()
    collection.project("umap").wait()
    target.write_bytes(collection.projection_image("umap", color=color))
    for run in collection.projections():
        figures = ", ".join(f"{k} {v:.3f}" for k, v in run.diagnostics.items() if v is not None)
        console.print(f"map '{run.name}' of {run.points} images: {figures}")


if __name__ == "__main__":
    try:
        main()
    except ServiceDidNotStart as error:
        sys.exit(str(error))
