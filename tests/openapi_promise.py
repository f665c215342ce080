"""The promise of API version 1, and what of it a document breaks.

`docs/openapi/v1.json` is what callers were promised. `python -m tests.openapi_promise` writes it anew after
a change that only adds; what a change must not do:

- remove a call, a parameter, a field of an answer, a media type, a success, or a value of an enumeration;
- ask for more: a higher role; a parameter or field becomes required; a type, bound or enumeration is
  narrowed;
- answer with less or with other things: a field may now be absent, or of a type that it was not of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROMISE = Path(__file__).parents[1] / "docs" / "openapi" / "v1.json"
Json = Mapping[str, Any]
_ROLES = ("read", "write", "admin")
_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaks(old: Json, new: Json) -> list[str]:
    """What the new document breaks of the old one's promises; empty if it only adds."""
    return sorted(set(_Comparison(old, new).document()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._seen = set[tuple[str, str, bool]]()

    def document(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            for method, operation in methods.items():
                name = f"{method.upper()} {path}"
                found = self._new["paths"].get(path, {}).get(method)
                if found is None:
                    yield f"{name}: the call is gone"
                else:
                    yield from self._operation(name, operation, found)

    def _operation(self, name: str, old: Json, new: Json) -> Iterator[str]:
        if _role(new) > _role(old):
            yield f"{name}: it takes a key of a higher role"
        yield from self._parameters(name, old, new)
        yield from self._body(name, old.get("requestBody", {}), new.get("requestBody", {}))
        for status, answer in old["responses"].items():
            if status.startswith("2"):
                found = new["responses"].get(status)
                if found is None:
                    yield f"{name}: no answer {status} any more"
                else:
                    yield from self._answer(f"{name}: answer {status}", answer, found)

    def _parameters(self, name: str, old: Json, new: Json) -> Iterator[str]:
        before, after = (
            {(p["in"], p["name"]): p for p in x.get("parameters", ())} for x in (old, new)
        )
        for key in before.keys() - after.keys():
            yield f"{name}: parameter '{key[1]}' is gone"
        for key, parameter in after.items():
            known = before.get(key)
            if parameter.get("required") and not (known and known.get("required")):
                yield f"{name}: parameter '{key[1]}' is required"
            if known:
                yield from self._taken(
                    f"{name}: parameter '{key[1]}'", known["schema"], parameter["schema"]
                )

    def _body(self, name: str, old: Json, new: Json) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{name}: a body is required"
        yield from self._contents(f"{name}: body", old, new, taken=True)

    def _answer(self, name: str, old: Json, new: Json) -> Iterator[str]:
        yield from self._contents(name, old, new, taken=False)

    def _contents(self, name: str, old: Json, new: Json, *, taken: bool) -> Iterator[str]:
        for kind, content in old.get("content", {}).items():
            found = new.get("content", {}).get(kind)
            if found is None:
                yield f"{name}: no {kind} any more"
            elif "schema" in content:
                compare = self._taken if taken else self._given
                yield from compare(f"{name}, {kind}", content["schema"], found.get("schema", {}))

    # -- schemas

    def _taken(self, name: str, old: Json, new: Json) -> Iterator[str]:
        """What was accepted must still be."""
        yield from self._matched(name, old, new, taken=True)

    def _given(self, name: str, old: Json, new: Json) -> Iterator[str]:
        """What is answered must be what was promised."""
        yield from self._matched(name, old, new, taken=False)

    def _matched(self, name: str, old: Json, new: Json, *, taken: bool) -> Iterator[str]:
        """Of what is accepted, each old alternative must have a new one; of what is answered, the reverse."""
        for one in _ways(old if taken else new):
            tries = [
                list(self._single(name, *((one, other) if taken else (other, one)), taken=taken))
                for other in _ways(new if taken else old)
            ]
            yield from min(tries, key=len)

    def _single(self, name: str, old: Json, new: Json, *, taken: bool) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""), taken)
        if all(pair[:2]):
            if pair in self._seen:
                return
            self._seen.add(pair)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if len(_ways(old)) > 1 or len(_ways(new)) > 1:
            yield from self._matched(name, old, new, taken=taken)
            return
        yield from _types(name, old, new, taken=taken)
        yield from _values(name, old, new, taken=taken)
        yield from self._fields(name, old, new, taken=taken)
        for inner in ("items", "additionalProperties"):
            parts = [part if isinstance(part := x.get(inner, {}), dict) else {} for x in (old, new)]
            if any(parts):
                yield from self._matched(f"{name}[]", *parts, taken=taken)

    def _fields(self, name: str, old: Json, new: Json, *, taken: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for field in before.keys() - after.keys():
            if not taken or new.get("additionalProperties") is False:
                yield f"{name}: field '{field}' is gone"
        needed, promised = set(new.get("required", ())), set(old.get("required", ()))
        for field in sorted(needed - promised if taken else (promised - needed) & after.keys()):
            yield f"{name}: field '{field}' " + ("is required" if taken else "may be absent")
        for field in before.keys() & after.keys():
            yield from self._matched(f"{name}.{field}", before[field], after[field], taken=taken)


def _role(operation: Json) -> int:
    """How high the role is that a call takes; 0 for none."""
    taken = [
        role for way in operation.get("security", ()) for roles in way.values() for role in roles
    ]
    return max((_ROLES.index(role) + 1 for role in taken), default=0)


def _ways(schema: Json) -> list[Json]:
    return list(schema.get("anyOf") or schema.get("oneOf") or [schema])


def _resolved(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _types(name: str, old: Json, new: Json, *, taken: bool) -> Iterator[str]:
    before, after = _type_names(old), _type_names(new)
    wide, narrow = (after, before) if taken else (before, after)
    if wide and not narrow <= wide:
        said = [" or ".join(sorted(types)) or "anything" for types in (before, after)]
        yield f"{name}: was {said[0]}, is {said[1]}"


def _type_names(schema: Json) -> set[str]:
    """Empty: of any type. A number may be an integer."""
    kind = schema.get("type", [])
    names = {kind} if isinstance(kind, str) else set(kind)
    return names | {"integer"} if "number" in names else names


def _values(name: str, old: Json, new: Json, *, taken: bool) -> Iterator[str]:
    before, after = _enumerated(old), _enumerated(new)
    if before is not None and after is not None:
        for value in before - after:
            yield f"{name}: value {value} is gone"
    elif taken and after is not None:
        yield f"{name}: is one of {', '.join(sorted(after))} only"
    elif not taken and before is not None:
        yield f"{name}: may be other values than {', '.join(sorted(before))}"
    if not taken:
        return
    for keys, tighter in ((_LOWEST, max), (_HIGHEST, min)):
        for key in keys:
            limit = new.get(key)
            if limit is not None and (key not in old or tighter(limit, old[key]) != old[key]):
                yield f"{name}: {key} is {limit}"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"{name}: must match {new['pattern']}"


def _enumerated(schema: Json) -> set[str] | None:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {json.dumps(value) for value in values}


def main() -> None:
    """Write the promise as the service has it now; `git diff` then shows what was added."""
    from tests.fakes.service import fake_service

    with fake_service() as service:
        document = service.client.get("/openapi.json").json()
    PROMISE.parent.mkdir(parents=True, exist_ok=True)
    PROMISE.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
