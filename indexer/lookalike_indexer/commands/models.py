"""`lookalike models`."""

from __future__ import annotations

from lookalike_indexer.options import ApiKey, Json, Url, connect
from lookalike_indexer.output import print_json, print_table


def models(url: Url = None, api_key: ApiKey = None, json: Json = False) -> None:
    """List the encoders that the service has."""
    with connect(url, api_key) as client:
        served = client.models()
    if json:
        for model in served:
            print_json(model)
        return
    print_table(
        ("model", "dim", "input", "text", "license", "default"),
        (
            (
                model.model,
                model.dim,
                "×".join(map(str, model.input_size)),
                "yes" if model.text else "",
                model.license,
                "yes" if model.default else "",
            )
            for model in served
        ),
    )
