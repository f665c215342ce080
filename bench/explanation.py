"""What explanations cost: on top of an embedding, beside the grad-cam package, and in a search."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM

from bench.pictures import jpegs
from bench.service import service
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.explain.backprop import backprop_maps, normalised
from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.network import find_layer
from lookalike_service.explain.objectives import Along
from lookalike_service.images import Limits, Pixels, decode
from lookalike_service.settings import Settings
from tests.checkpoints import open_clip_checkpoint

ROUNDS, WARM_UP, BATCH, HITS = 9, 2, 16, 10


def run() -> dict[str, float]:
    figures = _default_encoder()
    with tempfile.TemporaryDirectory() as folder:
        figures |= _vision_transformer(Path(folder))
    return figures | _search()


def _default_encoder() -> dict[str, float]:
    encoder, pixels = _loaded(Settings().model)
    queries = np.roll(encoder.encode(pixels).embeddings, 1, axis=0)

    def embed_and_explain() -> None:
        encoded = encoder.encode(pixels, features=True)
        assert encoded.features is not None
        for features, query in zip(encoded.features, queries, strict=True):
            closed_form_map(features, Along(query))

    package = partial(_package, encoder, pixels, queries, "bn2")
    embed, explain, theirs = _medians(lambda: encoder.encode(pixels), embed_and_explain, package)
    return {
        "closed form: embedding + map / embedding (target <= 1.1)": explain / embed,
        "closed form: grad-cam package / embedding + map (target >= 5)": theirs / explain,
    }


def _vision_transformer(folder: Path) -> dict[str, float]:
    """ViT-B-32 with random weights, which cost what trained ones do."""
    file = open_clip_checkpoint(folder, "ViT-B-32")
    encoder, pixels = _loaded(f"open_clip:ViT-B-32@{file}")
    queries = np.roll(encoder.encode(pixels).embeddings, 1, axis=0)
    aims = [Along(query) for query in queries]

    def embed_in_float32() -> None:
        with torch.inference_mode():
            encoder.network(normalised(encoder, pixels))

    planned, embed, explain, theirs = _medians(
        lambda: encoder.encode(pixels),
        embed_in_float32,
        lambda: backprop_maps(encoder, pixels, aims),
        partial(_package, encoder, pixels, queries, "transformer.resblocks.11.ln_1"),
    )
    return {
        # Maps are made by the float32 network, whatever plan embeds.
        "ViT-B-32: embedding + map / embedding by the same network (target <= 1.5)": explain
        / embed,
        "ViT-B-32: embedding + map / embedding by its plan": explain / planned,
        "ViT-B-32: grad-cam package / embedding + map (target >= 5)": theirs / explain,
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

        plain, explained = _medians(lambda: search("none"), lambda: search("similarity"), rounds=30)
    return {"search with maps on 10 hits / without (target < 2)": explained / plain}


def _loaded(spec: str) -> tuple[TorchEncoder, Pixels]:
    settings = Settings()
    encoder = load_encoder(spec, settings)
    assert isinstance(encoder, TorchEncoder)
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
    images = [decode(image, limits).rgb for image in jpegs(count=BATCH)]
    return encoder, np.stack([encoder.preprocess(image) for image in images])


def _package(
    encoder: TorchEncoder, pixels: Pixels, queries: NDArray[np.float32], layer: str
) -> None:
    """The same maps by the grad-cam package, which embeds as it goes."""
    prefix = encoder.network.prefix

    def on_grid(tokens: torch.Tensor) -> torch.Tensor:
        side = round((tokens.shape[1] - prefix) ** 0.5)
        return tokens[:, prefix:].transpose(1, 2).reshape(len(tokens), -1, side, side)

    targets = [
        partial(torch.cosine_similarity, torch.from_numpy(query), dim=0) for query in queries
    ]
    with GradCAM(
        model=encoder.network,
        target_layers=[find_layer(encoder.network, layer)],
        reshape_transform=on_grid if prefix else None,
    ) as cam:
        cam(input_tensor=normalised(encoder, pixels).requires_grad_(), targets=targets)


def _medians(*works: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """The median seconds of each, taken in turn so that all see the same machine."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(WARM_UP + rounds):
        for work, times in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return [statistics.median(times[WARM_UP:]) for times in seconds]
