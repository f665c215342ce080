"""`lookalike index`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from lookalike import FieldType, LookalikeError
from lookalike_indexer.commands.index_summary import Lines, print_summary, summary
from lookalike_indexer.indexing import index_into
from lookalike_indexer.options import ApiKey, CollectionOption, Json, Url, connect, read_pairs
from lookalike_indexer.output import print_json
from lookalike_indexer.ray_engine import RayEngine, Workers
from lookalike_indexer.run import Confirm
from lookalike_indexer.sources.manifests import Columns
from lookalike_indexer.targets import ServiceTarget, Target, open_direct

_PATIENCE = 9  # retries: a service that is busy or restarting stops no long run for about a minute
_TIMEOUT = 600.0  # seconds: a slow encoder takes minutes for the images under way
_ASK_FROM = 0.2
"""Share of what a source gave once that is not deleted without being asked for."""
_SOME_FAILED, _COULD_NOT_RUN, _STOPPED = 3, 2, 130


class DuplicatesOption(StrEnum):
    """What becomes of exact copies."""

    once = "once"
    each = "each"


class EngineOption(StrEnum):
    """Where images are read, decoded and embedded without a service."""

    here = "here"
    ray = "ray"


_SOURCE, _DIRECT = "Source", "Direct"


def index(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Folders, globs in quotes, files; manifests (.csv, .tsv, .jsonl, .parquet); lists (.txt); "
            "archives (.tar, .zip); URLs; addresses such as s3://bucket/photos; - for standard input."
        ),
    ],
    *,
    collection: CollectionOption,
    model: Annotated[
        str | None,
        typer.Option(help="Encoder of a new collection; by default the service's.", metavar="SPEC"),
    ] = None,
    index_field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD:TYPE",
            help="A metadata field to filter by, keyword, integer, float or bool; repeatable.",
        ),
    ] = None,
    label_from: Annotated[
        str | None,
        typer.Option(
            metavar="folder|COLUMN",
            help="Metadata `label`: the name of the image's folder, or a manifest's column.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    path_column: Annotated[
        str | None,
        typer.Option(
            help="A manifest's column that refers to the images; by default path, file, image, url ….",
            metavar="COLUMN",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            help="A manifest's column of ids; by default the reference is the id.",
            metavar="COLUMN",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    duplicates: Annotated[
        DuplicatesOption,
        typer.Option(help="Store exact copies once, with all their sources, or each."),
    ] = DuplicatesOption.once,
    recheck: Annotated[
        bool,
        typer.Option("--recheck", help="Send images again that were indexed and have not changed."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete images that the source gave once and has no more."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Prune without asking, however many images are gone.")
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(
            help="Where the failed images are listed, one JSON object a line.",
            show_default="beside the journal",
        ),
    ] = None,
    direct: Annotated[
        bool,
        typer.Option(
            "--direct",
            help="Encode and store here, without a service; it must not have the folder open.",
            rich_help_panel=_DIRECT,
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="With --direct: folder of the embedded store.",
            show_default="LOOKALIKE_DATA or lookalike-data",
            rich_help_panel=_DIRECT,
        ),
    ] = None,
    qdrant_url: Annotated[
        str | None,
        typer.Option(
            help="With --direct: a Qdrant server instead of the folder.",
            show_default="LOOKALIKE_QDRANT_URL",
            rich_help_panel=_DIRECT,
        ),
    ] = None,
    engine: Annotated[
        EngineOption,
        typer.Option(
            help="Where --direct works: in this process, or spread over the Ray cluster of RAY_ADDRESS, "
            "which needs --qdrant-url.",
            rich_help_panel=_DIRECT,
        ),
    ] = EngineOption.here,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --engine ray: processes.",
            show_default="one for each GPU, else machine",
            rich_help_panel=_DIRECT,
        ),
    ] = None,
    worker_cpus: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --engine ray: cores of each process.",
            show_default="a fair share",
            rich_help_panel=_DIRECT,
        ),
    ] = None,
    worker_gpus: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="With --engine ray: GPUs of each process, such as 0.5.",
            show_default="1 where there are any",
            rich_help_panel=_DIRECT,
        ),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Index images into a collection, which is created if it is missing.

    The id of an image is its path within the folder, or what a manifest or list calls it. Unchanged images
    are skipped, so that running it again goes on where it was stopped. Exit status: 0 all indexed, 3 some
    images failed, 2 it could not run, 130 interrupted.
    """
    on_ray, pool = engine is EngineOption.ray, Workers(workers, worker_cpus, worker_gpus)
    _check_engine(direct=direct, on_ray=on_ray, store=bool(data or qdrant_url), pool=pool)
    fields = _fields(index_field or [])
    with _could_not_run(), ExitStack() as stack:
        if direct or on_ray:
            folder = None if data is None else str(data)
            target = open_direct(
                collection, data=folder, qdrant_url=qdrant_url, model=model, shared=on_ray
            )
            stack.callback(target.close)
        else:
            target = _behind_service(stack, url, api_key, collection)
        report = index_into(
            target,
            paths,
            columns=Columns(path_column, id_column, label_from),
            progress=Lines() if json else "bar",
            model=model,
            indexes=fields,
            recheck=recheck,
            duplicates=duplicates.value,
            prune=_confirmation(yes=yes) if prune else None,
            errors=errors,
            spread=stack.enter_context(RayEngine(target, pool)) if on_ray else None,
        )
    if json:
        print_json({"event": "summary", "collection": collection, **summary(report)})
    else:
        print_summary(report, collection)
    raise typer.Exit(_COULD_NOT_RUN if report.kept else _SOME_FAILED if report.failures else 0)


def _check_engine(*, direct: bool, on_ray: bool, store: bool, pool: Workers) -> None:
    if store and not (direct or on_ray):
        raise typer.BadParameter("--data and --qdrant-url are for --direct and --engine ray.")
    if pool != Workers() and not on_ray:
        raise typer.BadParameter("--workers and what each has are for --engine ray.")


def _behind_service(
    stack: ExitStack, url: str | None, api_key: str | None, collection: str
) -> Target:
    with connect(url, api_key) as client:
        client.info()  # tells soon if nothing answers
    client = stack.enter_context(connect(url, api_key, retries=_PATIENCE, timeout=_TIMEOUT))
    return ServiceTarget(client.collection(collection))


def _fields(texts: list[str]) -> dict[str, FieldType]:
    pairs = read_pairs("--index-field", texts, ":")
    for name, kind in pairs.items():
        if kind not in get_args(FieldType):
            allowed = ", ".join(get_args(FieldType))
            raise typer.BadParameter(f"--index-field {name}: type {kind!r}; allowed: {allowed}.")
    named = {n if n.startswith("metadata.") else f"metadata.{n}": k for n, k in pairs.items()}
    return cast("dict[str, FieldType]", named)


def _confirmation(*, yes: bool) -> Confirm:
    """Asks before much is deleted; where nobody can be asked, the answer is no."""

    def confirm(gone: int, known: int) -> bool:
        if yes or gone < _ASK_FROM * known:
            return True
        if not sys.stdin.isatty():
            return False
        return typer.confirm(f"{gone} of {known} images are gone from their source. Delete them?")

    return confirm


@contextmanager
def _could_not_run() -> Iterator[None]:
    try:
        yield
    except (LookalikeError, OSError) as error:
        typer.echo(f"lookalike: {error}", err=True)
        raise typer.Exit(_COULD_NOT_RUN) from error
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on from here.", err=True)
        raise typer.Exit(_STOPPED) from None
