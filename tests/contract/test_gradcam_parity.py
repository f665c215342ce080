"""Our maps are those of autograd, and of the `grad-cam` package, on networks of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.utils.image import scale_cam_image

from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.single_query import MeanQueryPool
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.explain.backprop import backprop_maps, normalised
from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.explain.methods import METHODS
from lookalike_service.explain.network import default_layer, find_layer
from lookalike_service.explain.objectives import Along, Logit, Norm, Objective, Output, Score
from lookalike_service.images import Pixels
from lookalike_service.settings import Settings
from tests import pictures
from tests.checkpoints import open_clip_checkpoint, timm_checkpoint
from tests.encoders import loaded

CLOSE = 1e-3
pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True)
class Kind:
    """An encoder, the layer that the package explains, and whether its layer is tokens."""

    spec: Callable[[Path], str]
    layer: str
    tokens: bool = False


def small(name: str, size: int = 64) -> Callable[[Path], str]:
    return lambda at: f"timm:{name}@{timm_checkpoint(at, name)}?size={size}"


# Small inputs of networks with random weights: the arithmetic is the same, and quick.
KINDS = {
    "bundled": Kind(lambda _: "timm:tf_efficientnet_lite0", "bn2"),
    "resnet50": Kind(small("resnet50"), "layer4"),
    "vgg19": Kind(small("vgg19"), "features"),
    "efficientnet_b0": Kind(small("efficientnet_b0"), "bn2"),
    "vit": Kind(small("vit_tiny_patch16_224"), "blocks.11.norm1", tokens=True),
    "clip vit": Kind(
        lambda at: f"open_clip:ViT-S-32-alt@{open_clip_checkpoint(at, 'ViT-S-32-alt')}",
        "transformer.resblocks.11.ln_1",
        tokens=True,
    ),
    # Pools that are no average: by attention, and of one maximum a channel.
    "clip resnet": Kind(lambda at: f"open_clip:RN50@{open_clip_checkpoint(at, 'RN50')}", "layer4"),
    "vgg19 max": Kind(lambda at: small("vgg19")(at) + "&pool=max", "features"),
}
PHOTOGRAPHS = ("chelsea", "coffee")


@pytest.fixture(scope="module")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TorchEncoder]:
    @cache
    def encoder_of(kind: str) -> TorchEncoder:
        if kind == "bundled":
            return loaded()
        found = load_encoder(KINDS[kind].spec(tmp_path_factory.mktemp("weights")), Settings())
        assert isinstance(found, TorchEncoder)
        return found

    return encoder_of


def seen(encoder: TorchEncoder) -> Pixels:
    return np.stack([encoder.preprocess(pictures.photograph(name)) for name in PHOTOGRAPHS])


class Head(torch.nn.Module):
    """The network as the package needs it: one output, scaled, which no map depends on."""

    def __init__(self, network: Any, output: str, scale: float = 1.0) -> None:
        super().__init__()
        self.network, self.output, self.scale = network, output, scale

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.network.backbone(images)
        head = own_pool(self.network) if self.output == "embedding" else self.network.classifier
        result: torch.Tensor = head(features) * self.scale
        return result


def own_pool(network: Any) -> Any:
    """The library's, also where ours computes the same with less work."""
    return network.pool.pool if isinstance(network.pool, MeanQueryPool) else network.pool


def package_maps(
    encoder: TorchEncoder,
    pixels: Pixels,
    targets: Sequence[object],
    kind: Kind,
    *,
    cam: Any = GradCAM,
    output: str = "embedding",
    scale: float = 1.0,
) -> NDArray[np.float32]:
    """What the package draws: float32 (n, size, size), scaled to [0, 1]."""
    prefix = encoder.network.prefix

    def on_grid(tokens: torch.Tensor) -> torch.Tensor:
        patches = tokens[:, prefix:]
        side = round(patches.shape[1] ** 0.5)
        return patches.transpose(1, 2).reshape(len(tokens), -1, side, side)

    layer = find_layer(encoder.network, kind.layer)
    images = normalised(encoder, pixels).requires_grad_()
    reshape = on_grid if kind.tokens else None
    model = Head(encoder.network, output, scale)
    with cam(model=model, target_layers=[layer], reshape_transform=reshape) as method:
        drawn: NDArray[np.float32] = method(input_tensor=images, targets=list(targets))
    return drawn


def difference(ours: Heatmap, theirs: NDArray[np.float32]) -> float:
    """The largest difference after the package's own scaling and enlarging of ours."""
    enlarged = scale_cam_image(ours.grid[None], theirs.shape)
    return float(np.abs(scale_cam_image(enlarged)[0] - theirs).max())


def cosine(query: NDArray[np.float32]) -> object:
    other = torch.from_numpy(query)
    return lambda output: torch.cosine_similarity(output, other, dim=0)


@pytest.mark.parametrize("name", KINDS)
def test_the_similarity_maps_of_a_batch_are_the_packages(
    encoder_of: Callable[[str], TorchEncoder], name: str
) -> None:
    kind, encoder = KINDS[name], encoder_of(name)
    pixels = seen(encoder)
    queries = np.roll(encoder.encode(pixels).embeddings, 1, axis=0)
    expected = package_maps(encoder, pixels, [cosine(query) for query in queries], kind)
    ours = backprop_maps(encoder, pixels, [Along(query) for query in queries], layer=kind.layer)
    for one, other in zip(ours, expected, strict=True):
        assert not one.empty
        assert difference(one, other) < CLOSE


@pytest.mark.parametrize("name", KINDS)
def test_the_maps_of_what_the_embedding_left_are_the_packages_without_another_pass(
    encoder_of: Callable[[str], TorchEncoder], name: str
) -> None:
    kind, encoder = KINDS[name], encoder_of(name)
    pixels = seen(encoder)
    encoded = encoder.encode(pixels, features=True)
    queries = np.roll(encoded.embeddings, 1, axis=0)
    expected = package_maps(encoder, pixels, [cosine(query) for query in queries], kind)
    nothing = np.zeros_like(pixels)  # were they looked at, the maps would be others
    ours = backprop_maps(
        encoder, nothing, [Along(query) for query in queries], features=encoded.features
    )
    for one, other in zip(ours, expected, strict=True):
        assert not one.empty
        assert difference(one, other) < CLOSE


# The largest difference of maps scaled to 1, over random weights, which round worse than trained ones.
CLOSE_IN_BFLOAT16 = 0.1


@pytest.mark.parametrize("name", ["vit", "clip vit"])
def test_a_plan_in_bfloat16_gives_the_maps_of_float32_but_for_its_rounding(
    encoder_of: Callable[[str], TorchEncoder], tmp_path: Path, name: str
) -> None:
    encoder = encoder_of(name)
    quick = load_encoder(KINDS[name].spec(tmp_path), Settings(plan="bfloat16"))
    assert isinstance(quick, TorchEncoder)
    pixels = seen(encoder)
    aims = [Along(query) for query in np.roll(encoder.encode(pixels).embeddings, 1, axis=0)]
    expected = backprop_maps(encoder, pixels, aims)
    kept = quick.encode(pixels, features=True).features
    for one, other in zip(backprop_maps(quick, pixels, aims, features=kept), expected, strict=True):
        assert np.abs(one.grid - other.grid).max() < CLOSE_IN_BFLOAT16


@pytest.mark.parametrize("name", KINDS)
def test_the_layer_that_is_explained_by_default_is_the_packages(
    encoder_of: Callable[[str], TorchEncoder], name: str
) -> None:
    kind, encoder = KINDS[name], encoder_of(name)
    assert default_layer(encoder.network) == (kind.layer if kind.tokens else None)
    pixels = seen(encoder)
    query = encoder.encode(pixels).embeddings[1]
    named, default = (
        backprop_maps(encoder, pixels[:1], [Along(query)], layer=layer)[0]
        for layer in (kind.layer, None)
    )
    np.testing.assert_allclose(default.grid, named.grid, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet50", "vgg19", "vit"])
def test_the_class_maps_are_the_packages(
    encoder_of: Callable[[str], TorchEncoder], name: str
) -> None:
    kind, encoder = KINDS[name], encoder_of(name)
    pixels = seen(encoder)
    classes = [int(i) for i in encoder.class_logits(pixels).argmax(axis=1)]
    targets = [lambda output, i=i: output[i] for i in classes]
    expected = package_maps(encoder, pixels, targets, kind, output="logits")
    ours = backprop_maps(encoder, pixels, [Logit(i) for i in classes], layer=kind.layer)
    kept = encoder.encode(pixels, features=True).features
    nothing = np.zeros_like(pixels)
    resumed = backprop_maps(encoder, nothing, [Logit(i) for i in classes], features=kept)
    for one, same, other in zip(ours, resumed, expected, strict=True):
        assert difference(one, other) < CLOSE
        assert difference(same, other) < CLOSE


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "bundled"])
def test_the_class_maps_in_closed_form_are_the_packages(
    encoder_of: Callable[[str], TorchEncoder], name: str
) -> None:
    kind, encoder = KINDS[name], encoder_of(name)
    pixels = seen(encoder)
    encoded = encoder.encode(pixels, features=True)
    assert encoder.class_weights is not None
    assert encoded.features is not None
    weights, bias = encoder.class_weights
    logits = encoder.class_logits(pixels)
    classes = [int(i) for i in logits.argmax(axis=1)]
    targets = [lambda output, i=i: output[i] for i in classes]
    expected = package_maps(encoder, pixels, targets, kind, output="logits")
    for i, index in enumerate(classes):
        score = Score(weights[index], float(bias[index]))
        embedding = (encoded.embeddings[i] * encoded.norms[i]).astype(np.float64)
        assert score.value(embedding) == pytest.approx(float(logits[i, index]), rel=1e-3, abs=1e-3)
        heatmap = closed_form_map(encoded.features[i], score)
        assert heatmap.empty == (expected[i].max() == 0)
        assert difference(heatmap, expected[i]) < CLOSE


def test_a_classifier_with_hidden_layers_is_not_taken_for_a_linear_one(
    encoder_of: Callable[[str], TorchEncoder],
) -> None:
    assert encoder_of("vgg19").class_weights is None


PACKAGE = {
    "gradcam": GradCAM,
    "hirescam": HiResCAM,
    "gradcam++": GradCAMPlusPlus,
    "layercam": LayerCAM,
    "eigencam": EigenCAM,
}


@pytest.mark.parametrize("layer", ["bn2", "blocks.2"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_the_packages_at_any_layer(
    encoder_of: Callable[[str], TorchEncoder], method: str, layer: str
) -> None:
    encoder = encoder_of("efficientnet_b0")
    pixels = seen(encoder)
    queries = np.roll(encoder.encode(pixels).embeddings, 1, axis=0)
    # Large, so that the 1e-6 that the package adds to a denominator of Grad-CAM++ does not show.
    scale = 1e6 if method == "gradcam++" else 1.0
    targets = [partial(_dot, torch.from_numpy(query) * scale) for query in queries]
    expected = package_maps(
        encoder, pixels, targets, Kind(lambda _: "", layer), cam=PACKAGE[method]
    )
    objectives = [_Dot(query, scale) for query in queries]
    ours = backprop_maps(encoder, pixels, objectives, method=method, layer=layer)
    for one, other in zip(ours, expected, strict=True):
        if method == "eigencam" and difference(one, other) > CLOSE:
            # A singular vector's sign is open; the package takes either, ours that of the magnitude.
            assert np.corrcoef(_enlarged(one, other), other.ravel())[0, 1] < 0
        else:
            assert difference(one, other) < CLOSE


def _enlarged(ours: Heatmap, theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    enlarged: NDArray[np.float32] = scale_cam_image(ours.grid[None], theirs.shape)[0].ravel()
    return enlarged


def _dot(query: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    return output @ query


class _Dot:
    """The dot product with a query, times a factor."""

    output: ClassVar[Output] = "embedding"

    def __init__(self, query: NDArray[np.float32], scale: float) -> None:
        self.query: NDArray[np.float64] = query.astype(np.float64) * scale

    def value(self, output: NDArray[np.float64]) -> float:
        return float(self.query @ output)

    def gradient(self, output: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.query + 0 * output


@pytest.mark.parametrize("name", ["vgg19", "efficientnet_b0"])
@pytest.mark.parametrize("method", METHODS)
def test_the_closed_form_is_back_propagation(
    encoder_of: Callable[[str], TorchEncoder], name: str, method: str
) -> None:
    encoder = encoder_of(name)
    assert encoder.info.closed_form
    pixels = seen(encoder)[:2]
    encoded = encoder.encode(pixels, features=True)
    assert encoded.features is not None
    for objective in (Along(encoded.embeddings[1]), Norm()):
        closed = closed_form_map(encoded.features[0], objective, method)
        (passed,) = backprop_maps(encoder, pixels[:1], [objective], method=method)
        assert closed.peak == pytest.approx(passed.peak, rel=1e-3)
        np.testing.assert_allclose(closed.grid, passed.grid, atol=CLOSE)


@pytest.mark.parametrize("name", ["efficientnet_b0", "vit"])
def test_an_image_has_the_same_map_alone_and_in_a_batch(
    encoder_of: Callable[[str], TorchEncoder], name: str
) -> None:
    encoder = encoder_of(name)
    pixels = seen(encoder)
    query = Along(encoder.encode(pixels).embeddings[1])
    together = backprop_maps(encoder, pixels, [query, Norm()], method="hirescam")
    alone = backprop_maps(encoder, pixels[:1], [query], method="hirescam")
    np.testing.assert_allclose(together[0].grid, alone[0].grid, atol=1e-4)


def test_the_network_is_left_as_it_was(encoder_of: Callable[[str], TorchEncoder]) -> None:
    encoder = encoder_of("vit")
    pixels = seen(encoder)
    before = encoder.encode(pixels).embeddings
    backprop_maps(encoder, pixels, [Norm()] * 2, layer="blocks.3")
    np.testing.assert_array_equal(encoder.encode(pixels).embeddings, before)
    assert not any(module._forward_hooks for module in encoder.network.modules())
    assert all(parameter.grad is None for parameter in encoder.network.parameters())


def gradient_map(
    features: NDArray[np.float32], objective: Callable[..., Any]
) -> NDArray[np.float64]:
    """Grad-CAM by definition, in float64: autograd's weights, averaged over positions, then ReLU."""
    maps = torch.tensor(features, dtype=torch.float64, requires_grad=True)
    objective(maps.mean(dim=(1, 2))).backward()
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(1, 2), keepdim=True)
    raw: NDArray[np.float64] = torch.relu((weights * maps).sum(dim=0)).detach().numpy()
    return raw


@pytest.mark.parametrize("seed", range(5))
def test_the_closed_form_is_that_of_autograd(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((32, 5, 7)).astype(np.float32)
    query = rng.standard_normal(32).astype(np.float32)
    unit = torch.tensor(query, dtype=torch.float64)
    pairs: list[tuple[Objective, Callable[..., Any]]] = [
        (Along(query), lambda e: (e / e.norm()) @ unit),
        (Norm(), torch.linalg.vector_norm),
    ]
    for objective, by_torch in pairs:
        ours, expected = closed_form_map(features, objective), gradient_map(features, by_torch)
        assert ours.peak == pytest.approx(expected.max(), rel=1e-5)
        np.testing.assert_allclose(ours.grid, expected / expected.max(), atol=1e-5)


def test_the_comparison_would_notice_another_map(
    encoder_of: Callable[[str], TorchEncoder],
) -> None:
    encoder, kind = encoder_of("bundled"), KINDS["bundled"]
    pixels = seen(encoder)
    expected = package_maps(encoder, pixels[:1], [torch.linalg.vector_norm], kind)[0]
    query = encoder.encode(pixels).embeddings[1]
    (wrong,) = backprop_maps(encoder, pixels[:1], [Along(query)])
    assert difference(wrong, expected) > 0.1
