"""Maps of images: seen once, explained by any number of targets, judged on request."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.errors import InvalidField, LookalikeError
from lookalike_service.explain.faithfulness import Faithfulness, judge, perturbed
from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.explain.methods import METHODS
from lookalike_service.explain.network import (
    Differentiable,
    default_layer,
    find_layer,
    is_behind_trunk,
    no_network,
)
from lookalike_service.explain.objectives import Objective
from lookalike_service.images import Crop
from lookalike_service.schemas.embedding import TargetOptions
from lookalike_service.workflows.embedding import Embedded, Embedder
from lookalike_service.workflows.seen import Seen, SeenCache
from lookalike_service.workflows.targets import Aim

_ROLLOUT = "rollout"
UNTARGETED = (*(method.name for method in METHODS.values() if not method.targeted), _ROLLOUT)


@dataclass(frozen=True, slots=True)
class Explainer:
    """Makes the maps of one target with one encoder."""

    encoder: Encoder
    embedder: Embedder
    cache: SeenCache
    target: str
    options: TargetOptions

    def check(self) -> None:
        """Refuse a method or layer that cannot be served, before any work.

        Raises InvalidField for a method that knows no target and a layer that there is not,
        UnsupportedTarget for an encoder without a network to differentiate.
        """
        method, layer = self.options.method, self.options.layer
        if method in UNTARGETED and self.target != "self":
            raise InvalidField(
                f"Method '{method}' knows no target: its map would be the same for '{self.target}' as for "
                "any other. Ask for target 'self', or for another method."
            )
        if method == _ROLLOUT and layer is not None:
            raise InvalidField("Method 'rollout' goes through all layers: leave 'layer' out.")
        if not self.in_closed_form:
            network = self._differentiable().network
            if layer is not None:
                find_layer(network, layer)

    @property
    def in_closed_form(self) -> bool:
        """Whether the last features and the embedding say it all, without the network."""
        if self.target == "class" and self._differentiable().class_weights is None:
            return False
        return self.encoder.info.closed_form and self._of_the_last_features

    @property
    def keeps_features(self) -> bool:
        """Whether maps are made of the features that come with the embedding, without another pass."""
        if self.in_closed_form:
            return True
        if not (isinstance(self.encoder, Differentiable) and self.encoder.resumes):
            return False
        network = self.encoder.network
        return (
            self.encoder.info.grid is not None
            and self._of_the_last_features
            and is_behind_trunk(network, default_layer(network))
        )

    @property
    def _of_the_last_features(self) -> bool:
        return self.options.layer is None and self.options.method != _ROLLOUT

    @property
    def layer(self) -> str | None:
        """The layer that is explained; None for the last features, or all layers."""
        if self.in_closed_form or self.options.method == _ROLLOUT:
            return None
        return self.options.layer or default_layer(self._differentiable().network)

    async def see(
        self, images: Sequence[bytes], *, keep_rgb: bool = False
    ) -> list[tuple[Embedded, Seen] | LookalikeError]:
        """Embed images as sent, and remember what explains them."""
        hashes = [hashlib.sha256(data).hexdigest() for data in images]
        return await self._see(images, hashes, "image", keep_rgb=keep_rgb)

    async def see_thumbnails(
        self, thumbnails: Sequence[bytes], hashes: Sequence[str]
    ) -> list[Seen | LookalikeError]:
        """Embed thumbnails in place of the images of these hashes, and remember what explains them."""
        seen = await self._see(thumbnails, hashes, "thumbnail", keep_rgb=False)
        return [one if isinstance(one, LookalikeError) else one[1] for one in seen]

    async def see_part(
        self, image: bytes, crop: Crop, made_from: Literal["image", "thumbnail"]
    ) -> tuple[Embedded, Seen]:
        """Embed a part of an image, which is not remembered. Raises ImageError, InvalidField, Overloaded."""
        (result,) = await self.embedder.embed(
            self.encoder, [image], features=self.keeps_features, crop=crop
        )
        if isinstance(result, LookalikeError):
            raise result
        sha256 = hashlib.sha256(image).hexdigest()
        return result, Seen(sha256, result.image.pixels, result.encoded, made_from)

    async def draw(self, seen: Sequence[Seen], aims: Sequence[Aim]) -> list[Heatmap]:
        """The map of each image for its aim."""
        if not seen:
            return []
        objectives = [aim.objective for aim in aims]
        with self.embedder.metrics.stage("explain"):
            return await asyncio.to_thread(self._draw, seen, objectives)

    async def judge(self, seen: Seen, heatmap: Heatmap, aim: Aim) -> Faithfulness | None:
        """Whether a map can be believed; None for an empty one. Embeds `faithfulness.PASSES` images."""
        if heatmap.empty:
            return None
        images = await asyncio.to_thread(perturbed, seen.pixels, heatmap.grid)
        return judge(np.array(await self._values(images, aim.judged)))

    def recall(self, sha256: str) -> Seen | None:
        """What is remembered of an image of this hash."""
        return self.cache.get(self.encoder.info.space.id, sha256)

    async def _see(
        self,
        images: Sequence[bytes],
        hashes: Sequence[str],
        made_from: Literal["image", "thumbnail"],
        *,
        keep_rgb: bool,
    ) -> list[tuple[Embedded, Seen] | LookalikeError]:
        results = await self.embedder.embed(
            self.encoder, images, features=self.keeps_features, keep_rgb=keep_rgb
        )
        found: list[tuple[Embedded, Seen] | LookalikeError] = []
        for sha256, result in zip(hashes, results, strict=True):
            if isinstance(result, LookalikeError):
                found.append(result)
                continue
            seen = Seen(sha256, result.image.pixels, result.encoded, made_from)
            if self.keeps_features:
                self.cache.put(self.encoder.info.space.id, seen)
            found.append((result, seen))
        return found

    def _draw(self, seen: Sequence[Seen], objectives: Sequence[Objective]) -> list[Heatmap]:
        method = self.options.method
        if self.in_closed_form:
            maps = [(one.encoded.features, o) for one, o in zip(seen, objectives, strict=True)]
            return [closed_form_map(f, o, method) for f, o in maps if f is not None]
        # Imported late: torch takes seconds, which the tests of the closed form need not wait for.
        from lookalike_service.explain.backprop import backprop_maps  # noqa: PLC0415
        from lookalike_service.explain.rollout import rollout_maps  # noqa: PLC0415

        encoder, pixels = self._differentiable(), np.stack([one.pixels for one in seen])
        if method == _ROLLOUT:
            return rollout_maps(encoder, pixels)
        kept = [one.encoded.features for one in seen]
        features = np.stack([f for f in kept if f is not None]) if self.keeps_features else None
        return backprop_maps(
            encoder,
            pixels,
            objectives,
            method=method,
            layer=self.options.layer,
            features=features,
        )

    async def _values(self, images: Pixels, objective: Objective) -> list[float]:
        if objective.output == "logits":
            logits = await asyncio.to_thread(self._differentiable().class_logits, images)
            return [objective.value(row.astype(np.float64)) for row in logits]
        items = await self.embedder.encode(self.encoder, images)
        return [objective.value(item.embedding.astype(np.float64) * item.norm) for item in items]

    def _differentiable(self) -> Differentiable:
        if not isinstance(self.encoder, Differentiable):
            raise no_network(self.encoder.info.model)
        return self.encoder
