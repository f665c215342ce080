"""`lookalike index`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from lookalike import FieldType, LookalikeError
from lookalike_indexer.indexing import index as run
from lookalike_indexer.options import ApiKey, CollectionOption, Json, Url, connect, read_pairs
from lookalike_indexer.output import print_json
from lookalike_indexer.report import FileFailure, IndexProgress, IndexReport

_PATIENCE = 9  # retries: a service that is busy or restarting stops no long run for about a minute


def index(
    paths: Annotated[list[str], typer.Argument(help="Folders, globs in quotes, or files.")],
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
    recheck: Annotated[
        bool,
        typer.Option("--recheck", help="Send files again that were indexed and have not changed."),
    ] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Write failed files here, one JSON object a line.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Index folders of images into a collection, which is created if it is missing.

    An image's id is its path within the folder. Its metadata are `folder`, the path of the
    sub-folder it is in, and `label`, that sub-folder's own name. Unchanged files are skipped, so
    that running it again goes on where it was stopped. Exit status: 0 all indexed, 1 some files
    failed, 2 it could not run.
    """
    fields = _fields(index_field or [])
    with _could_not_run(), connect(url, api_key) as client:
        client.info()  # tells soon if nothing answers
    with _could_not_run(), connect(url, api_key, retries=_PATIENCE) as client:
        report = run(
            client.collection(collection),
            paths,
            progress=_print_failures if json else "bar",
            model=model,
            indexes=fields,
            recheck=recheck,
        )
        if errors is not None:
            _write_errors(errors, report.failures)
    if json:
        print_json({"event": "summary", "collection": collection, **_summary(report)})
    else:
        _print_summary(report, collection, errors)
    raise typer.Exit(1 if report.failures else 0)


def _fields(texts: list[str]) -> dict[str, FieldType]:
    pairs = read_pairs("--index-field", texts, ":")
    for name, kind in pairs.items():
        if kind not in get_args(FieldType):
            allowed = ", ".join(get_args(FieldType))
            raise typer.BadParameter(f"--index-field {name}: type {kind!r}; allowed: {allowed}.")
    named = {n if n.startswith("metadata.") else f"metadata.{n}": k for n, k in pairs.items()}
    return cast("dict[str, FieldType]", named)


@contextmanager
def _could_not_run() -> Iterator[None]:
    try:
        yield
    except (LookalikeError, OSError) as error:
        typer.echo(f"lookalike: {error}", err=True)
        raise typer.Exit(2) from error


def _print_failures(progress: IndexProgress) -> None:
    for failure in progress.new_failures:
        print_json({"event": "failed", **asdict(failure)})


def _write_errors(path: Path, failures: list[FileFailure]) -> None:
    import json as jsonlib  # noqa: PLC0415 - `json` is the option's name here

    lines = "".join(jsonlib.dumps(asdict(failure)) + "\n" for failure in failures)
    path.write_text(lines, encoding="utf-8")


def _summary(report: IndexReport) -> dict[str, Any]:
    counts = {name: value for name, value in asdict(report).items() if name != "failures"}
    return {"total": report.total, **counts, "failed": report.failed}


def _print_summary(report: IndexReport, collection: str, errors: Path | None) -> None:
    typer.echo(
        f"{collection}: {report.created} created, {report.updated} updated, "
        f"{report.unchanged + report.skipped} unchanged, {report.failed} failed "
        f"in {report.seconds:.1f} s"
    )
    for failure in report.failures[:10]:
        typer.echo(f"  {failure.path}: {failure.code}: {failure.detail}", err=True)
    if report.failed > 10:
        where = f"all in {errors}" if errors else "--errors FILE lists them all"
        typer.echo(f"  and {report.failed - 10} more; {where}", err=True)
    for field in report.unindexed_fields:
        typer.echo(f"  note: the collection has no index on {field}, to filter by", err=True)
