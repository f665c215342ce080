"""What a map can be asked to explain, and how."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

Target: TypeAlias = Literal[
    "self", "similarity", "class", "text", "component", "cluster", "neighbours", "comparison"
]
Method: TypeAlias = Literal["gradcam", "hirescam", "gradcam++", "layercam", "eigencam", "rollout"]


class TargetOptions(TypedDict, total=False):
    """Options of a target; each target takes its own, and all take `method` and `layer`.

    - `similarity`: `collection` and `id` of an indexed image (or a reference image, or a vector);
    - `class`: `class_`, its number or name, or none for the most likely;
    - `text`: `text`;
    - `component`: `collection`, a PCA `projection` or a `clustering` with a reduction, and `component`, from
      1, negative for its negative side;
    - `cluster`: `collection`, `clustering`, `cluster`, and `against`: a label, "nearest" or "none";
    - `neighbours`: `collection`, and `neighbours`, how many;
    - `comparison`: `collection`, `comparison`, and `side`: "first" or "second", the set to be explained as.
    """

    method: Method | None
    layer: str | None
    collection: str | None
    id: str | None
    class_: int | str | None
    text: str | None
    projection: str | None
    clustering: str | None
    component: int | None
    cluster: int | None
    against: int | str | None
    neighbours: int | None
    comparison: str | None
    side: Literal["first", "second"] | None


def target_query(options: TargetOptions) -> dict[str, Any]:
    """The options as query parameters."""
    return {name.rstrip("_"): value for name, value in options.items() if value is not None}
