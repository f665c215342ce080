"""Embedding and explanation."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lookalike_service.schemas.base import ImageId, Name, Wire
from lookalike_service.schemas.problems import ItemError


class Region(Wire):
    """A rectangle in pixels of the upright image."""

    left: float
    top: float
    width: float
    height: float


Target = Literal[
    "self", "similarity", "class", "text", "component", "cluster", "neighbours", "comparison"
]
Method = Literal["gradcam", "hirescam", "gradcam++", "layercam", "eigencam", "rollout"]


class TargetOptions(BaseModel):
    """What a map is to explain, and how; a target takes those of the later fields that belong to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = Field(
        "gradcam",
        description="How feature maps become a heat map; `eigencam` and `rollout` know no target.",
    )
    layer: str | None = Field(
        None, description="Layer of the network by name; its last feature maps if absent."
    )
    collection: Name | None = Field(
        None,
        description="Where `id`, `projection`, `clustering`, `comparison` and `neighbours` are looked up.",
    )
    id: ImageId | None = Field(
        None, description="Target `similarity`: the indexed image to compare with."
    )
    text: str | None = Field(
        None, min_length=1, max_length=1000, description="Target `text`: what to look for."
    )
    class_: str | None = Field(
        None,
        alias="class",
        min_length=1,
        description="Target `class`: its number or name; the most likely class if absent.",
    )
    projection: Name | None = Field(
        None, description="Target `component`: a PCA projection of the collection."
    )
    clustering: Name | None = Field(
        None,
        description="Target `cluster`: the clustering; target `component`: one with a PCA reduction.",
    )
    component: int | None = Field(
        None, description="Target `component`: its number from 1; negative for its negative side."
    )
    cluster: int | None = Field(None, description="Target `cluster`: its label.")
    against: int | Literal["nearest", "none"] | None = Field(
        None,
        description="Target `cluster`: the cluster it is told apart from; the nearest one if absent.",
    )
    neighbours: int | None = Field(
        None, ge=1, le=100, description="Target `neighbours`: how many top hits; 10 if absent."
    )
    comparison: Name | None = Field(
        None, description="Target `comparison`: a comparison of two sets of images."
    )
    side: Literal["first", "second"] | None = Field(
        None,
        description="Target `comparison`: the set that the image is explained as one of; `second` if absent.",
    )


class Faithfulness(Wire):
    """Whether the map can be believed: what the target does when its hottest places are blurred."""

    deletion: float = Field(description="Mean target while the hottest places are blurred first.")
    insertion: float = Field(description="Mean target while the hottest places are shown first.")
    score: float = Field(description="Insertion less deletion; the higher, the more faithful.")
    chance: float = Field(description="Largest score, up or down, of maps of noise on this image.")
    verdict: Literal["faithful", "weak", "no better than chance"] = Field(
        description="`faithful`: more than twice what chance gave; `weak`: more than chance gave."
    )


class Map(Wire):
    """A heat map: row-major grid over `region`, scaled to [0, 1]."""

    grid: list[list[float]]
    region: Region = Field(description="The part of the upright image that the encoder saw.")
    image_width: int
    image_height: int
    peak: float = Field(
        description="Largest value before scaling; 0 for a map that is zero everywhere."
    )
    empty: bool = Field(
        description="True if nothing in the image speaks for the target: the grid is all zeros."
    )
    made_from: Literal["image", "thumbnail"] = Field(
        description="What was explained: the image as sent, or the thumbnail that is kept of it."
    )
    faithfulness: Faithfulness | None = Field(
        None, description="Null where it was not asked for, or the map is empty."
    )


class EmbedImage(Wire):
    """One image of a JSON request: its bytes, or where the service is to fetch it."""

    base64: str | None = None
    url: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        None,
        description="http or https, of a host that the service's operator allows; by default it allows none.",
        examples=["https://images.example.com/shoe.jpg"],
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.base64 is None) == (self.url is None):
            raise ValueError("give exactly one of 'base64' and 'url'")
        return self


class EmbedRequest(Wire):
    """Images and texts to embed, as JSON; at least one. The texts are numbered after the images."""

    images: Annotated[list[EmbedImage], Field(fail_fast=True)] = Field(default_factory=list)
    texts: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=10_000)]],
        Field(fail_fast=True),
    ] = Field(default_factory=list, description="For encoders that embed text too.")


class EmbedItem(Wire):
    """The embedding of one image, or why there is none."""

    index: int
    embedding: list[float] | None = Field(None, description="Unit L2 norm.")
    map: Map | None = None
    error: ItemError | None = None


class EmbedResponse(Wire):
    """Embeddings in the order of the images."""

    model: str
    space: str
    dim: int
    items: list[EmbedItem]


class ExplainResponse(Wire):
    """What in the image speaks for the target."""

    model: str
    target: Target
    method: Method
    layer: str | None = Field(description="The layer explained; null for the last feature maps.")
    value: float = Field(
        description="The target itself: a norm for `self`, a logit for `class`, a coordinate for "
        "`component`, a difference of cosines for `cluster`, else a cosine."
    )
    about: dict[str, Any] = Field(
        description="What the target came to, such as the cluster it is told apart from."
    )
    similarity: float | None = Field(None, description="Cosine with the reference.")
    map: Map
    reference_map: Map | None = Field(
        None, description="Target `similarity`: the same on the other image, where there is one."
    )
