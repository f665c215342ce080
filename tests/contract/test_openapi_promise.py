"""The service keeps what version 1 of its API promised, and the check that says so notices what it must."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.service import fake_service
from tests.openapi_promise import PROMISE, breaks

ADVICE = """
Callers of version 1 were promised otherwise (docs/openapi/v1.json). Keep the old way working beside the new
one. If it must break all the same, that is version 2: new paths under /v2, a docs/openapi/v2.json, and an
entry in CHANGELOG.md.
"""
STALE = "The service offers what docs/openapi/v1.json does not: run `make openapi` and look at the diff."


def test_the_service_breaks_no_promise_and_promises_all_it_offers() -> None:
    promised = json.loads(PROMISE.read_text())
    with fake_service() as service:
        offered = service.client.get("/openapi.json").json()
    broken = breaks(promised, offered)
    assert not broken, "\n".join([*broken, ADVICE])
    added = breaks(offered, promised)
    assert not added, "\n".join([*added, STALE])


TEXT = {"type": "string"}
ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "note": {"anyOf": [TEXT, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
    },
    "required": ["id"],
    "additionalProperties": False,
}
PART = {"type": "array", "items": {"$ref": "#/components/schemas/Taken"}}
TAKEN = ITEM | {"properties": ITEM["properties"] | {"parts": PART}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "security": [{"bearer": ["write"]}, {"apiKey": ["write"]}],
                "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer"}}],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Taken"}},
                        "image/*": {"schema": TEXT},
                    }
                },
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Item"}}
                        }
                    },
                    "404": {"content": {}},
                },
            }
        }
    },
    "components": {"schemas": {"Item": ITEM, "Taken": TAKEN}},
}

Change = Callable[[dict[str, Any]], object]


def call(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/things"]["post"]
    return found


def fields(document: dict[str, Any], schema: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][schema]["properties"]
    return found


LIMIT = {"in": "query", "name": "other", "schema": TEXT}
BREAKING: dict[str, tuple[Change, str]] = {
    "a path removed": (lambda d: d["paths"].clear(), "the call is gone"),
    "a method removed": (lambda d: d["paths"]["/things"].clear(), "the call is gone"),
    "a key asked for": (lambda d: call(d).update(security=[{"bearer": ["admin"]}]), "a higher role"),
    "a parameter removed": (lambda d: call(d)["parameters"].clear(), "'limit' is gone"),
    "a required parameter": (
        lambda d: call(d)["parameters"].append(LIMIT | {"required": True}), "'other' is required",
    ),
    "a parameter now required": (
        lambda d: call(d)["parameters"][0].update(required=True), "'limit' is required",
    ),
    "a parameter narrowed": (
        lambda d: call(d)["parameters"][0].update(schema={"type": "boolean"}), "was integer, is boolean",
    ),
    "a body now required": (lambda d: call(d)["requestBody"].update(required=True), "a body is required"),
    "a body's type removed": (lambda d: call(d)["requestBody"]["content"].pop("image/*"), "no image/*"),
    "a success removed": (lambda d: call(d)["responses"].pop("200"), "no answer 200"),
    "an answer's type removed": (
        lambda d: call(d)["responses"]["200"]["content"].clear(), "no application/json",
    ),
    "an answered field removed": (lambda d: fields(d, "Item").pop("size"), "field 'size' is gone"),
    "an answered field optional": (
        lambda d: d["components"]["schemas"]["Item"].update(required=[]), "field 'id' may be absent",
    ),
    "an answered field of another type": (
        lambda d: fields(d, "Item").update(size=TEXT), "was integer, is string",
    ),
    "an answered field now null": (
        lambda d: fields(d, "Item").update(id={"anyOf": [TEXT, {"type": "null"}]}), "was string, is null",
    ),
    "an answered field of any value": (
        lambda d: fields(d, "Item")["kind"].pop("enum"), "may be other values",
    ),
    "a taken field removed": (lambda d: fields(d, "Taken").pop("size"), "field 'size' is gone"),
    "a taken field required": (
        lambda d: d["components"]["schemas"]["Taken"].update(required=["id", "size"]), "'size' is required",
    ),
    "a taken field no longer null": (lambda d: fields(d, "Taken").update(note=TEXT), "was null, is string"),
    "a taken value removed": (lambda d: fields(d, "Taken")["kind"]["enum"].remove("b"), 'value "b" is gone'),
    "a taken field enumerated": (lambda d: fields(d, "Taken")["id"].update(enum=["x"]), 'one of "x" only'),
    "a maximum lowered": (lambda d: fields(d, "Taken")["size"].update(maximum=9), "maximum is 9"),
    "a minimum raised": (lambda d: fields(d, "Taken")["size"].update(minimum=2), "minimum is 2"),
    "a bound added": (lambda d: fields(d, "Taken")["parts"].update(maxItems=3), "maxItems is 3"),
    "a pattern added": (lambda d: fields(d, "Taken")["id"].update(pattern="a+"), "must match a+"),
    "a list of other items": (
        lambda d: fields(d, "Taken")["parts"].update(items=TEXT), "was object, is string",
    ),
}  # fmt: skip
ADDING: dict[str, Change] = {
    "a path": lambda d: d["paths"].update({"/more": {"get": {"responses": {}}}}),
    "a lesser role": lambda d: call(d).update(security=[{"bearer": ["read"]}]),
    "no key": lambda d: call(d).update(security=[]),
    "an optional parameter": lambda d: call(d)["parameters"].append(LIMIT),
    "a body's type": lambda d: call(d)["requestBody"]["content"].update({"text/plain": {}}),
    "an error": lambda d: call(d)["responses"].update({"409": {"content": {}}}),
    "an error removed": lambda d: call(d)["responses"].pop("404"),
    "an answered field": lambda d: fields(d, "Item").update(more=TEXT),
    "an answered field now always there": lambda d: d["components"]["schemas"]["Item"].update(
        required=["id", "size"]
    ),
    "an answered field never null": lambda d: fields(d, "Item").update(note=TEXT),
    "an answered value": lambda d: fields(d, "Item")["kind"]["enum"].append("c"),
    "a taken field": lambda d: fields(d, "Taken").update(more=TEXT),
    "a taken field no longer required": lambda d: d["components"]["schemas"]["Taken"].update(
        required=[]
    ),
    "a taken value": lambda d: fields(d, "Taken")["kind"]["enum"].append("c"),
    "a taken type": lambda d: fields(d, "Taken").update(
        size={"anyOf": [{"type": "integer"}, TEXT]}
    ),
    "a number for an integer": lambda d: call(d)["parameters"][0].update(schema={"type": "number"}),
    "a wider bound": lambda d: fields(d, "Taken")["size"].update(maximum=11, minimum=0),
    "a description": lambda d: fields(d, "Item")["id"].update(description="its id"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_noticed(name: str) -> None:
    change, said = BREAKING[name]
    found = breaks(DOCUMENT, changed(change))
    assert found, name
    assert any(said in line for line in found), found


@pytest.mark.parametrize("name", ADDING)
def test_an_addition_breaks_nothing(name: str) -> None:
    assert breaks(DOCUMENT, changed(ADDING[name])) == []


def changed(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))  # what is in it twice becomes two
    change(document)
    assert document != DOCUMENT
    return document
