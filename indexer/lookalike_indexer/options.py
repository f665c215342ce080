"""Options that several commands take, and how their values are read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from lookalike import Lookalike

Url = Annotated[
    str | None,
    typer.Option(
        envvar="LOOKALIKE_URL",
        help="Address of the service.",
        show_default="http://127.0.0.1:3000",
        rich_help_panel="Service",
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar="LOOKALIKE_API_KEY",
        help="Key, if the service asks for one.",
        rich_help_panel="Service",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of text.")]
CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Collection.")]
CollectionArgument = Annotated[str, typer.Argument(help="Collection.")]
ClusteringArgument = Annotated[str, typer.Argument(help="Name of the clustering.")]
FilterOption = Annotated[
    str | None,
    typer.Option(
        help="Qdrant filter as JSON over metadata.* and clusters.*, such as "
        '\'{"must": [{"key": "metadata.label", "match": {"value": "cat"}}]}\'.'
    ),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="A parameter, such as k=8; repeatable."
    ),
]
NameOption = Annotated[
    str | None, typer.Option(help="Name to keep the result under; replaces an older one.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of the random numbers.")]


def connect(
    url: str | None, api_key: str | None, *, retries: int = 4, timeout: float = 60.0
) -> Lookalike:
    """A client of the service that the options name."""
    return Lookalike(url, api_key, retries=retries, timeout=timeout)


def read_filter(text: str | None) -> dict[str, Any] | None:
    """The JSON object of --filter. Raises BadParameter."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--filter is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("--filter must be a JSON object.")
    return value


def read_pairs(option: str, texts: Iterable[str], separator: str) -> dict[str, str]:
    """NAME and VALUE of each text. Raises BadParameter."""
    pairs = {}
    for text in texts:
        name, found, value = text.partition(separator)
        if not (name and found and value):
            raise typer.BadParameter(f"{option} takes NAME{separator}VALUE, not {text!r}.")
        pairs[name] = value
    return pairs


def read_parameters(texts: Iterable[str] | None) -> dict[str, Any]:
    """The values of --param: JSON where they are, such as 8 or true, else text. Raises BadParameter."""
    return {
        name: _json_or_text(value)
        for name, value in read_pairs("--param", texts or [], "=").items()
    }


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
