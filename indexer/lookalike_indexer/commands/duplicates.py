"""`lookalike duplicates`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike import Collection, DuplicateGroups, Duplicates, Leakage
from lookalike_indexer.options import (
    ApiKey,
    CollectionArgument,
    FilterOption,
    Json,
    Url,
    connect,
    read_filter,
)
from lookalike_indexer.output import print_json, print_table
from lookalike_indexer.waiting import wait


def duplicates(
    collection: CollectionArgument,
    *,
    near: Annotated[
        float | None, typer.Option(help="Cosine from which near duplicates are, if hashes agree.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Bits of 64 in which their hashes may differ; default: 10.")
    ] = None,
    variant: Annotated[
        float | None, typer.Option(help="Cosine from which variants are, whatever their hashes.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Compare all again, not only what is new.")
    ] = False,
    leakage: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD", help="Show what the values of a field share, such as metadata.split."
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="Write here, as CSV, which images to keep and which to delete."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete all but the best of each group; asks first.")
    ] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Of --plan and --delete: exact, near or variant; repeatable; default: exact, near."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Groups to show.")] = 20,
    name: Annotated[str, typer.Option(help="Name to keep the result under.")] = "duplicates",
    filter: FilterOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Group images of one picture: copies, near duplicates, variants."""
    kinds = kind or ["exact", "near"]
    with connect(url, api_key) as client:
        images = client.collection(collection)
        job = images.find_duplicates(
            name=name,
            near=near,
            bits=bits,
            variant=variant,
            filter=read_filter(filter),
            anew=anew,
        )
        wait(job)
        found = images.duplicates(name)
        groups = images.duplicate_groups(name, limit=limit)
        leaks = None if leakage is None else images.leakage(leakage, name, limit=limit)
        if plan is not None:
            plan.write_bytes(images.deletion_list(name, kinds=kinds))
        _print(found, groups, leaks, as_json=json)
        if plan is not None:
            typer.echo(f"wrote {plan}", err=json)
        if delete:
            _delete(images, name, kinds, yes=yes, as_json=json)


def _print(
    found: Duplicates, groups: DuplicateGroups, leaks: Leakage | None, *, as_json: bool
) -> None:
    if as_json:
        print_json(found)
        for group in groups:
            print_json(group)
        if leaks is not None:
            print_json(leaks)
        return
    typer.echo(
        f"{found.points} images, {found.groups} groups: {found.exact} copies, {found.near_duplicates} near "
        f"duplicates, {found.variants} variants; {found.compared} of {found.contents} contents compared in "
        f"{found.seconds:.1f} s"
    )
    print_table(
        ("keep", "images", "duplicates"),
        (
            (
                group.representative,
                group.size,
                ", ".join(f"{one.id} ({one.kind})" for one in group.duplicates[:5])
                + (" …" if group.size > 6 else ""),
            )
            for group in groups
        ),
    )
    if leaks is not None:
        typer.echo(f"{leaks.total} pairs of images are of different {leaks.field}:")
        print_table(
            ("first", "second", "pairs", "images of first", "images of second"),
            ((one.first, one.second, one.pairs, *one.images) for one in leaks.between),
        )


def _delete(images: Collection, name: str, kinds: list[str], *, yes: bool, as_json: bool) -> None:
    plan = images.deletion_plan(name, kinds=kinds, limit=1)
    if not yes:
        question = f"Delete {plan.delete} images of '{images.name}' and keep {plan.keep}?"
        typer.confirm(question, abort=True, err=True)
    deleted = images.delete_duplicates(plan.token, name, kinds=kinds)
    if as_json:
        print_json({"deleted": deleted})
    else:
        typer.echo(f"{deleted} images deleted")
