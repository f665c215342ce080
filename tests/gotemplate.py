"""As much of Go's text/template, and of the functions that Helm adds, as the chart in deploy/helm uses.

Anything else raises, so a template cannot use what would be rendered wrongly here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_ACTION = re.compile(r"\{\{(?P<left>-(?=\s))?(?P<code>.*?)(?P<right>(?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|-?\d+|:=|[|(),]|\$?(?:\.?[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*|\$|\.|\S'
)
Scope = dict[str, Any]


class Refused(Exception):
    """The template called `fail`."""


@dataclass
class Node:
    """Text, an action, or a block with its branches: (condition, what is inside)."""

    kind: str
    value: str = ""
    branches: list[tuple[str, list[Node]]] = field(default_factory=list)


def parse(source: str) -> list[Node]:
    """The nodes of a template."""
    return _block(_pieces(source), ends=set())[0]


def _pieces(source: str) -> Iterator[Node]:
    """Text and actions in turn, with `{{-` and `-}}` having eaten the space beside them."""
    at, eat = 0, False
    for match in _ACTION.finditer(source):
        text = source[at : match.start()]
        text = text.lstrip() if eat else text
        yield Node("text", text.rstrip() if match["left"] else text)
        code = match["code"].strip()
        if not code.startswith("/*"):
            yield Node("action", code)
        at, eat = match.end(), bool(match["right"])
    yield Node("text", source[at:].lstrip() if eat else source[at:])


def _block(pieces: Iterator[Node], ends: set[str]) -> tuple[list[Node], str]:
    """Nodes up to one of `ends`, and the action that ended them."""
    nodes: list[Node] = []
    for piece in pieces:
        word, _, rest = piece.value.partition(" ")
        if piece.kind == "action" and word in ends:
            return nodes, piece.value
        if piece.kind == "action" and word in {"if", "with", "range", "define"}:
            nodes.append(_branching(pieces, word, rest))
        else:
            nodes.append(piece)
    if ends:
        raise ValueError("a block has no end")
    return nodes, ""


def _branching(pieces: Iterator[Node], kind: str, condition: str) -> Node:
    node, ended = Node(kind, condition), "start"
    while ended != "end":
        inside, ended = _block(pieces, {"end", "else"})
        node.branches.append((condition, inside))
        condition = ended.removeprefix("else").strip().removeprefix("if").strip() or "true"
    return node


@dataclass
class Renderer:
    """Renders templates that share their definitions.

    `templates`: source by name. `data`: Values, Chart, Release, Files as Helm has them.
    """

    templates: Mapping[str, str]
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        self._parsed = {name: parse(source) for name, source in self.templates.items()}
        self._defined = {
            json.loads(node.value): node.branches[0][1]
            for nodes in self._parsed.values()
            for node in nodes
            if node.kind == "define"
        }

    def render(self, name: str) -> str:
        """One template's text. Raises Refused."""
        return self._text(self._parsed[name], {".": self.data, "$": self.data})

    def _text(self, nodes: list[Node], scope: Scope) -> str:
        return "".join(self._node(node, scope) for node in nodes)

    def _node(self, node: Node, scope: Scope) -> str:
        match node.kind:
            case "text":
                return node.value
            case "action":
                return _shown(self._pipeline(node.value, scope))
            case "define":
                return ""
            case "range":
                return self._range(node, scope)
            case _:
                return self._branch(node, scope)

    def _branch(self, node: Node, scope: Scope) -> str:
        for condition, inside in node.branches:
            value = self._pipeline(condition, scope)
            if value:
                dot = {".": value} if node.kind == "with" else {}
                return self._text(inside, scope | dot)
        return ""

    def _range(self, node: Node, scope: Scope) -> str:
        names, _, pipeline = node.value.partition(":=")
        key, value = (name.strip() for name in names.split(","))
        items = sorted((self._pipeline(pipeline, scope) or {}).items())
        inside = node.branches[0][1]
        return "".join(self._text(inside, scope | {key: k, value: v, ".": v}) for k, v in items)

    def _pipeline(self, source: str, scope: Scope) -> Any:
        tokens = _TOKEN.findall(source)
        value = self._commands(tokens, scope)
        if tokens:
            raise ValueError(f"cannot read {source!r}")
        return value

    def _commands(self, tokens: list[str], scope: Scope) -> Any:
        value = self._command(tokens, scope, ())
        while tokens and tokens[0] == "|":
            tokens.pop(0)
            value = self._command(tokens, scope, (value,))
        return value

    def _command(self, tokens: list[str], scope: Scope, last: tuple[Any, ...]) -> Any:
        """A function or value with its arguments, then what was piped in."""
        first, arguments = self._operand(tokens, scope), []
        while tokens and tokens[0] not in {"|", ")"}:
            arguments.append(self._operand(tokens, scope))
        arguments += last
        if callable(first):
            return first(*arguments)
        if arguments:
            raise ValueError(f"{first!r} takes no arguments")
        return first

    def _operand(self, tokens: list[str], scope: Scope) -> Any:
        word = tokens.pop(0)
        if word == "(":
            value = self._commands(tokens, scope)
            tokens.pop(0)
            return value
        if word[0] == '"' or word in {"true", "false"} or word.lstrip("-").isdigit():
            return json.loads(word)
        if word[0] in ".$":
            return _field(word, scope)
        return {"include": self._include, **_FUNCTIONS}[word]

    def _include(self, name: str, dot: Any) -> str:
        return self._text(self._defined[name], {".": dot, "$": dot})


def _field(path: str, scope: Scope) -> Any:
    """`.`, `.A.B`, `$`, `$.A` or `$name`; a field that is not there is None."""
    root, *names = path.split(".") if path != "." else [""]
    value = scope["."] if root == "" else scope[root]
    for name in filter(None, names):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name)
    return value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _fail(message: str) -> None:
    raise Refused(message)


def _indent(spaces: int, text: str) -> str:
    return "\n".join(" " * spaces + line for line in text.split("\n"))


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda *values: sum(map(int, values)),
    "and": _and,
    "ceil": lambda value: math.ceil(float(value)),
    "or": _or,
    "not": lambda value: not value,
    "gt": lambda a, b: a > b,
    "int": int,
    "contains": lambda part, text: part in text,
    "default": lambda default, value: value or default,
    "fail": _fail,
    "nindent": lambda spaces, text: "\n" + _indent(spaces, text),
    "printf": lambda template, *values: template % values,
    "quote": lambda value: json.dumps(_shown(value), ensure_ascii=False),
    "toJson": lambda value: json.dumps(value, separators=(",", ":")),
    "toYaml": lambda value: yaml.safe_dump(value, width=1000).rstrip("\n"),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "trunc": lambda length, text: text[:length],
}
