"""`lookalike models`."""

from __future__ import annotations

from lookalike import Model
from lookalike_indexer.options import ApiKey, Json, Url, connect
from lookalike_indexer.output import print_json, print_table


def models(url: Url = None, api_key: ApiKey = None, json: Json = False) -> None:
    """List the encoders that the service offers, and others it could be started with."""
    with connect(url, api_key) as client:
        served = client.models()
    if json:
        for model in served:
            print_json(model)
        return
    print_table(
        ("model", "state", "weights", "dim", "input", "text", "license"),
        (
            (
                model.model,
                _state(model),
                model.weights,
                model.dim,
                "×".join(map(str, model.input_size or ())),
                "yes" if model.text else "",
                model.license,
            )
            for model in served
        ),
    )


def _state(model: Model) -> str:
    if model.default:
        return "default"
    return "loaded" if model.loaded else "offered" if model.served else ""
