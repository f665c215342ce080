"""Explanations that need the network: layers by name, classes, texts, vision transformers, attention."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from starlette.testclient import TestClient

from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.errors import InvalidField, UnsupportedTarget
from lookalike_service.explain.backprop import backprop_maps
from lookalike_service.explain.network import default_layer, layers_of
from lookalike_service.explain.objectives import Along, Logit, Norm
from lookalike_service.explain.rollout import rollout_maps
from lookalike_service.images import Pixels
from lookalike_service.settings import Settings
from tests import pictures
from tests.checkpoints import open_clip_checkpoint, timm_checkpoint
from tests.encoders import encode_images, loaded
from tests.fakes.service import fake_app
from tests.fakes.store import FakeStore
from tests.pictures import encoded
from tests.unit.test_explain_gradcam import energy_on_the_right, tile

pytestmark = pytest.mark.usefixtures("one_thread")
EncoderOf = Callable[[str], TorchEncoder]
CAT, ESPRESSO = 285, 967  # of ImageNet
CHELSEA = encoded(pictures.photograph("chelsea"), "png")


@pytest.fixture(scope="module")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> EncoderOf:
    """A network by name, with random weights but for the bundled one."""

    @cache
    def encoder_of(name: str) -> TorchEncoder:
        at = tmp_path_factory.mktemp("weights")
        if name == "bundled":
            return loaded()
        if name == "clip":
            spec = f"open_clip:ViT-S-32-alt@{open_clip_checkpoint(at, 'ViT-S-32-alt')}"
        else:
            spec = f"timm:{name}@{timm_checkpoint(at, name)}?size=64"
        found = load_encoder(spec, Settings())
        assert isinstance(found, TorchEncoder)
        return found

    return encoder_of


@pytest.fixture(scope="module")
def client_of(encoder_of: EncoderOf) -> Iterator[Callable[[str], TestClient]]:
    """The service on such an encoder."""
    with ExitStack() as stack:

        @cache
        def client_of(name: str) -> TestClient:
            app = fake_app(encoder_of(name), FakeStore())
            return stack.enter_context(
                TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
            )

        yield client_of


def explain(client: TestClient, **query: Any) -> Any:
    """The answer for the photograph of a cat."""
    params = {"faithfulness": False} | query
    return client.post("/v1/explain", params=params, files={"image": CHELSEA})


VIT = "vit_tiny_patch16_224"
MAPS = ("map", "query_map")


def seen(encoder: TorchEncoder, *names: str) -> Pixels:
    return np.stack([encoder.preprocess(pictures.photograph(name)) for name in names])


# -- layers


@pytest.mark.parametrize(("layer", "shape"), [("blocks.1", (56, 56)), ("conv_head", (7, 7))])
def test_any_layer_of_a_convolutional_network_is_explained(
    client_of: Callable[[str], TestClient], layer: str, shape: tuple[int, int]
) -> None:
    answer = explain(client_of("bundled"), layer=layer).json()
    assert answer["layer"] == layer
    assert np.shape(answer["map"]["grid"]) == shape
    assert np.max(answer["map"]["grid"]) == 1


@pytest.mark.parametrize("layer", ["blocks.5", "blocks.5.attn", "patch_embed", None])
def test_any_layer_of_a_transformer_is_explained_on_its_patches(
    client_of: Callable[[str], TestClient], layer: str | None
) -> None:
    query = {} if layer is None else {"layer": layer}
    answer = explain(client_of(VIT), **query).json()
    assert answer["layer"] == (layer or "blocks.11.norm1")
    assert np.shape(answer["map"]["grid"]) == (4, 4)
    assert np.isfinite(answer["map"]["grid"]).all()


def test_a_layer_that_there_is_not_is_answered_with_those_there_are(
    client_of: Callable[[str], TestClient],
) -> None:
    answer = explain(client_of("bundled"), layer="block.4").json()
    assert answer["code"] == "invalid_field"
    for name in ("blocks.4", "conv_stem", "conv_head"):
        assert name in answer["detail"]


@pytest.mark.parametrize(
    ("name", "layer", "says"),
    [
        ("bundled", "classifier", "no part"),
        ("bundled", "global_pool.flatten", "no part"),
        (VIT, "blocks.0.mlp.drop1", ""),
        ("bundled", "blocks.3.0.se", "no layer"),
    ],
)
def test_a_layer_that_says_nothing_is_refused_or_drawn_but_never_fails(
    client_of: Callable[[str], TestClient], name: str, layer: str, says: str
) -> None:
    response = explain(client_of(name), layer=layer)
    if response.status_code != 200:
        assert response.json()["code"] == "invalid_field"
        assert says in response.json()["detail"]


def test_every_layer_is_explained_or_refused_with_a_reason(encoder_of: EncoderOf) -> None:
    encoder = encoder_of(VIT)
    pixels, drawn = seen(encoder, "chelsea"), 0
    for layer in layers_of(encoder.network):
        try:
            (heatmap,) = backprop_maps(encoder, pixels, [Norm()], layer=layer)
        except InvalidField as error:
            assert repr(layer)[1:-1] in error.detail  # noqa: PT017 - some layers raise, others do not
        else:
            assert np.isfinite(heatmap.grid).all()
            drawn += 1
    assert drawn > 100


def test_a_constant_image_has_a_map_without_nan_from_any_network(encoder_of: EncoderOf) -> None:
    for name in ("bundled", VIT, "clip"):
        encoder = encoder_of(name)
        black = np.zeros((1, *encoder.info.input_size, 3), np.uint8)
        query = Along(encoder.encode(seen(encoder, "coffee")).embeddings[0])
        for method in ("gradcam", "gradcam++", "eigencam"):
            (heatmap,) = backprop_maps(encoder, black, [query], method=method)
            assert np.isfinite(heatmap.grid).all()
            assert heatmap.grid.max() == (0 if heatmap.empty else 1)


# -- threads


def test_other_threads_embed_undisturbed_while_a_layer_is_cut(encoder_of: EncoderOf) -> None:
    encoder = encoder_of(VIT)
    pixels = seen(encoder, "chelsea", "coffee")
    expected = encoder.encode(pixels).embeddings
    stop, wrong = threading.Event(), []

    def embed() -> None:
        while not stop.is_set():
            if not np.array_equal(encoder.encode(pixels).embeddings, expected):
                wrong.append(True)

    thread = threading.Thread(target=embed)
    thread.start()
    for _ in range(10):
        backprop_maps(encoder, pixels, [Norm(), Norm()], layer="blocks.3")
        rollout_maps(encoder, pixels)
    stop.set()
    thread.join()
    assert not wrong


# -- classes


@pytest.mark.parametrize(
    ("left", "right", "index"),
    [
        ("chelsea", "coffee", ESPRESSO),
        ("rocket", "coffee", ESPRESSO),
        ("coffee", "chelsea", CAT),
        ("astronaut", "chelsea", CAT),
    ],
)
def test_a_class_lies_on_its_tile(encoder_of: EncoderOf, left: str, right: str, index: int) -> None:
    encoder = encoder_of("bundled")
    image = encoder.preprocess(np.concatenate([tile(left), tile(right)], axis=1))
    (heatmap,) = backprop_maps(encoder, image[None], [Logit(index)])
    assert energy_on_the_right(heatmap.grid) >= 0.85


def test_the_most_likely_class_is_explained_unless_one_is_named(
    client_of: Callable[[str], TestClient],
) -> None:
    client = client_of("bundled")
    likely = explain(client, target="class").json()
    assert likely["about"]["class"] in range(281, 286)  # the cats
    assert 0 < likely["about"]["probability"] <= 1
    named = explain(client, target="class", **{"class": str(ESPRESSO)}).json()
    assert named["about"]["class"] == ESPRESSO
    assert named["value"] < likely["value"]
    assert explain(client, target="class", **{"class": "1000"}).json()["code"] == "invalid_field"
    assert explain(client, target="class", **{"class": "unicorn"}).json()["code"] == "invalid_field"
    assert (
        explain(client, target="class", **{"class": "1" * 5000}).json()["code"] == "invalid_field"
    )


def test_a_class_map_is_judged_by_the_class(client_of: Callable[[str], TestClient]) -> None:
    answer = explain(client_of("bundled"), target="class", faithfulness=True).json()
    judged = answer["map"]["faithfulness"]
    assert judged["insertion"] < answer["value"]
    assert judged["deletion"] < answer["value"]


# -- passes


def passes(encoder: TorchEncoder, work: Callable[[], Any]) -> int:
    """How often the network runs, in full or up to its last block."""
    ran: list[int] = []

    def count(_module: Any, inputs: tuple[torch.Tensor, ...], _output: Any) -> None:
        ran.append(len(inputs[0]))

    modules = {encoder.network.trunk, encoder.network.backbone}
    handles = [module.register_forward_hook(count) for module in modules]
    work()
    for handle in handles:
        handle.remove()
    return len(ran)


@pytest.mark.parametrize("name", ["bundled", VIT, "clip"])
@pytest.mark.parametrize("target", ["self", "class"])
def test_an_image_is_explained_by_the_pass_that_embeds_it(
    encoder_of: EncoderOf, client_of: Callable[[str], TestClient], name: str, target: str
) -> None:
    if name == "clip" and target == "class":
        return  # it has none
    encoder, client = encoder_of(name), client_of(name)
    assert passes(encoder, lambda: explain(client, target=target)) == 1


def test_hits_that_were_explained_before_are_explained_without_a_pass(
    encoder_of: EncoderOf, client_of: Callable[[str], TestClient]
) -> None:
    client = client_of("clip")
    client.put("/v1/collections/seen", json={})
    client.post("/v1/collections/seen/images", files={"images": CHELSEA}).raise_for_status()
    query = {"explain": "similarity"}

    def search() -> None:
        found = client.post("/v1/collections/seen/search", params=query, files={"image": CHELSEA})
        assert found.json()["hits"][0]["explanation"]["map"]["grid"]

    search()
    assert passes(encoder_of("clip"), search) == 1  # of the query


def test_a_named_layer_is_given_a_pass_of_its_own(
    encoder_of: EncoderOf, client_of: Callable[[str], TestClient]
) -> None:
    work = partial(explain, client_of(VIT), layer="blocks.5")
    assert passes(encoder_of(VIT), work) == 2


# -- encoders without a network


@pytest.mark.parametrize("target", ["self", "class", "text"])
def test_an_encoder_without_a_network_says_what_can_be_done_instead(target: str) -> None:
    encoder = load_encoder("pixels:16x16-rgb", Settings())
    app = fake_app(encoder, FakeStore())
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        options = {"text": "a cat"} if target == "text" else {}
        answer = explain(client, target=target, **options).json()
    assert answer["code"] == "unsupported_target"
    assert "no network" in answer["detail"]
    assert "/v1/models" in answer["detail"]
    assert "can explain" not in answer["detail"]


# -- texts


def test_a_text_is_explained_as_its_embedding(
    encoder_of: EncoderOf, client_of: Callable[[str], TestClient]
) -> None:
    encoder = encoder_of("clip")
    answer = explain(client_of("clip"), target="text", text="a cat").json()
    pixels = encoder.preprocess(pictures.photograph("chelsea"))[None]
    vector = encoder.encode_text(["a cat"])[0]
    (expected,) = backprop_maps(encoder, pixels, [Along(vector)])
    np.testing.assert_allclose(answer["map"]["grid"], expected.grid, atol=1e-3)
    assert answer["value"] == pytest.approx(encoder.encode(pixels).embeddings[0] @ vector, abs=1e-4)
    assert answer["layer"] == "transformer.resblocks.11.ln_1"
    other = explain(client_of("clip"), target="text", text="a rocket at night").json()
    assert other["map"]["grid"] != answer["map"]["grid"]


def test_the_bundled_encoder_says_that_it_explains_no_text(
    client_of: Callable[[str], TestClient],
) -> None:
    answer = explain(client_of("bundled"), target="text", text="a cat").json()
    assert answer["code"] == "unsupported_target"
    assert "class" in answer["detail"]


# -- attention rollout


def reference_rollout(encoder: TorchEncoder, pixels: Pixels) -> NDArray[np.float64]:
    """Abnar and Zuidema's definition, on the attention that timm itself computes when it is not fused."""
    weights: list[torch.Tensor] = []
    blocks = [m for m in encoder.network.modules() if type(m).__name__ == "Attention"]
    handles = [
        block.attn_drop.register_forward_hook(lambda _m, _i, output: weights.append(output))  # type: ignore[union-attr] # timm's untyped module
        for block in blocks
    ]
    fused = [block.fused_attn for block in blocks]
    for block in blocks:
        block.fused_attn = False  # type: ignore[assignment] # a plain attribute
    try:
        encoder.encode(pixels)
    finally:
        for block, former, handle in zip(blocks, fused, handles, strict=True):
            block.fused_attn = former
            handle.remove()
    flow = np.eye(weights[0].shape[-1])
    for attention in weights:
        mixed = attention[0].mean(dim=0).double().numpy() + np.eye(len(flow))
        flow = mixed / mixed.sum(axis=1, keepdims=True) @ flow
    side = round((len(flow) - 1) ** 0.5)
    relevance: NDArray[np.float64] = flow[0, 1:].reshape(side, side)
    return relevance


def test_rollout_is_its_definition(encoder_of: EncoderOf) -> None:
    encoder = encoder_of(VIT)
    pixels = seen(encoder, "chelsea")
    expected = reference_rollout(encoder, pixels)
    (heatmap,) = rollout_maps(encoder, pixels)
    assert heatmap.peak == pytest.approx(expected.max(), rel=1e-3)
    np.testing.assert_allclose(heatmap.grid, expected / expected.max(), atol=1e-3)


def test_rollout_goes_through_open_clips_attention(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("clip")
    maps = rollout_maps(encoder, seen(encoder, "chelsea", "coffee"))
    assert [heatmap.grid.shape for heatmap in maps] == [(7, 7), (7, 7)]
    assert np.abs(maps[0].grid - maps[1].grid).max() > 0.01


def test_rollout_needs_a_transformer(encoder_of: EncoderOf) -> None:
    with pytest.raises(UnsupportedTarget, match="vision transformer"):
        rollout_maps(encoder_of("bundled"), seen(encoder_of("bundled"), "chelsea"))


def test_rollout_is_served(client_of: Callable[[str], TestClient]) -> None:
    answer = explain(client_of(VIT), method="rollout", faithfulness=True).json()
    assert (answer["method"], answer["layer"]) == ("rollout", None)
    assert answer["map"]["faithfulness"]["verdict"]
    layered = explain(client_of(VIT), method="rollout", layer="blocks.1").json()
    assert layered["code"] == "invalid_field"


# -- which path


@pytest.mark.parametrize("name", ["bundled", VIT, "clip"])
def test_the_layer_explained_by_default_is_one_that_matters(
    encoder_of: EncoderOf, name: str
) -> None:
    encoder = encoder_of(name)
    assert (default_layer(encoder.network) is None) == (name == "bundled")
    query = encode_images(encoder, pictures.photograph("coffee")).embeddings[0]
    (heatmap,) = backprop_maps(encoder, seen(encoder, "chelsea"), [Along(query)])
    assert not heatmap.empty


def test_a_search_is_explained_without_a_closed_form_too(
    client_of: Callable[[str], TestClient],
) -> None:
    client = client_of(VIT)
    assert client.put("/v1/collections/v", json={}).status_code == 201
    names = ("coffee", "astronaut", "rocket")
    files = [("images", encoded(pictures.photograph(name), "png")) for name in names]
    client.post("/v1/collections/v/images", files=files)
    query = {"explain": "similarity"}
    hits = client.post("/v1/collections/v/search", params=query, files={"image": CHELSEA}).json()[
        "hits"
    ]
    assert len(hits) == 3
    explanations = [hit["explanation"] for hit in hits]
    assert all(np.shape(e[on]["grid"]) == (4, 4) for e in explanations for on in MAPS)
    for on in MAPS:  # weights are random, so that some maps may well be empty
        assert any(np.max(e[on]["grid"]) == 1 for e in explanations)
