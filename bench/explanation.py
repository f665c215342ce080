"""What explanations cost: on top of an embedding, beside the grad-cam package, and in a search."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from torch import nn

from bench.pictures import jpegs
from bench.service import service
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.explain.backprop import backprop_maps, normalised
from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.network import find_layer
from lookalike_service.explain.objectives import Along, Objective, Score
from lookalike_service.images import Limits, Pixels, decode
from lookalike_service.settings import Settings
from tests.checkpoints import open_clip_checkpoint

ROUNDS, WARM_UP, BATCH, HITS = 11, 2, 16, 10

Figures = dict[str, float]


def run() -> Figures:
    figures = _default_encoder()
    with tempfile.TemporaryDirectory() as folder:
        # Random weights, which cost what trained ones do.
        figures |= _vision_transformer(Path(folder)) | _attention_pool(Path(folder))
    return figures | _search()


def _default_encoder() -> Figures:
    encoder, pixels = _loaded(Settings().model)
    encoded = encoder.encode(pixels)
    queries = np.roll(encoded.embeddings, 1, axis=0)
    assert encoder.class_weights is not None
    weights, bias = encoder.class_weights
    classes = encoder.class_logits(pixels).argmax(axis=1)
    likenesses = [Along(query) for query in queries]
    scores = [Score(weights[index], float(bias[index])) for index in classes]

    def embed_and_explain(objectives: Sequence[Objective]) -> None:
        features = encoder.encode(pixels, features=True).features
        assert features is not None
        for maps, objective in zip(features, objectives, strict=True):
            closed_form_map(maps, objective)

    rounds = _rounds(
        lambda: encoder.encode(pixels),
        lambda: embed_and_explain(likenesses),
        lambda: embed_and_explain(scores),
        partial(_package, encoder, encoder.network, pixels, queries, "bn2"),
    )
    return {
        "closed form: embedding + map / embedding (target <= 1.1)": _ratio(rounds, 1, 0),
        "closed form: embedding + map of a class / embedding": _ratio(rounds, 2, 0),
        "closed form: grad-cam package / embedding + map (target >= 5)": _ratio(rounds, 3, 1),
    }


def _vision_transformer(folder: Path) -> Figures:
    file = open_clip_checkpoint(folder, "ViT-B-32")
    encoder, pixels = _loaded(f"open_clip:ViT-B-32@{file}")
    layer = "transformer.resblocks.11.ln_1"
    return _against_both("ViT-B-32", encoder, pixels, layer)


def _attention_pool(folder: Path) -> Figures:
    encoder, pixels = _loaded(f"open_clip:RN50@{open_clip_checkpoint(folder, 'RN50')}")
    return _against_both("RN50", encoder, pixels, "layer4")


def _against_both(name: str, encoder: TorchEncoder, pixels: Pixels, layer: str) -> Figures:
    """An embedding with its map, against the embedding by the encoder's plan and by the library's network."""
    own: nn.Module = encoder.network.backbone.get_submodule("visual")
    queries = np.roll(encoder.encode(pixels).embeddings, 1, axis=0)
    aims = [Along(query) for query in queries]

    def embed_in_float32() -> None:
        with torch.inference_mode():
            own(normalised(encoder, pixels))

    def embed_and_explain() -> None:
        features = encoder.encode(pixels, features=True).features
        backprop_maps(encoder, pixels, aims, features=features)

    rounds = _rounds(
        lambda: encoder.encode(pixels),
        embed_in_float32,
        embed_and_explain,
        lambda: backprop_maps(encoder, pixels, aims),
        partial(_package, encoder, own, pixels, queries, layer),
    )
    plan = encoder.info.plan
    return {
        f"{name}: embedding + map / embedding, both by {plan.name if plan else 'the network'} "
        "(target <= 1.5)": _ratio(rounds, 2, 0),
        f"{name}: embedding + map / embedding in float32": _ratio(rounds, 2, 1),
        f"{name}: map from pixels in float32 / embedding in float32": _ratio(rounds, 3, 1),
        f"{name}: grad-cam package / embedding + map (target >= 5)": _ratio(rounds, 4, 2),
    }


def _search() -> dict[str, float]:
    """A search by image over HTTP, with maps on query and hits and without; the hits were seen before."""
    with (
        service() as (port, _, _),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):
        http.put("/v1/collections/bench", json={}).raise_for_status()
        pictures = jpegs(count=64)
        files = [("images", picture) for picture in pictures]
        http.post("/v1/collections/bench/images", files=files).raise_for_status()

        def search(explain: str) -> None:
            http.post(
                "/v1/collections/bench/search",
                params={"limit": HITS, "explain": explain},
                content=pictures[0],
                headers={"content-type": "image/jpeg"},
            ).raise_for_status()

        rounds = _rounds(lambda: search("none"), lambda: search("similarity"), count=30)
    return {"search with maps on 10 hits / without (target < 2)": _ratio(rounds, 1, 0)}


def _loaded(spec: str) -> tuple[TorchEncoder, Pixels]:
    settings = Settings()
    encoder = load_encoder(spec, settings)
    assert isinstance(encoder, TorchEncoder)
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
    images = [decode(image, limits).rgb for image in jpegs(count=BATCH)]
    return encoder, np.stack([encoder.preprocess(image) for image in images])


def _package(
    encoder: TorchEncoder,
    model: nn.Module,
    pixels: Pixels,
    queries: NDArray[np.float32],
    layer: str,
) -> None:
    """The same maps by the grad-cam package, which embeds as it goes; `model`: images to embeddings."""
    prefix = encoder.network.prefix

    def on_grid(tokens: torch.Tensor) -> torch.Tensor:
        side = round((tokens.shape[1] - prefix) ** 0.5)
        return tokens[:, prefix:].transpose(1, 2).reshape(len(tokens), -1, side, side)

    targets = [
        partial(torch.cosine_similarity, torch.from_numpy(query), dim=0) for query in queries
    ]
    with GradCAM(
        model=model,
        target_layers=[find_layer(encoder.network, layer)],
        reshape_transform=on_grid if prefix else None,
    ) as cam:
        cam(input_tensor=normalised(encoder, pixels).requires_grad_(), targets=targets)


def _rounds(*works: Callable[[], object], count: int = ROUNDS) -> NDArray[np.float64]:
    """Seconds (rounds, works), in a new order each round, so that all see the same machine and caches."""
    rng = np.random.default_rng(0)
    seconds = np.zeros((WARM_UP + count, len(works)))
    for number in range(WARM_UP + count):
        for i in rng.permutation(len(works)):
            start = time.perf_counter()
            works[i]()
            seconds[number, i] = time.perf_counter() - start
    return seconds[WARM_UP:]


def _ratio(rounds: NDArray[np.float64], of: int, to: int) -> float:
    """The median over rounds of what one work took, as a multiple of another in the same round."""
    return float(np.median(rounds[:, of] / rounds[:, to]))
