"""The networks that people use load from a checkpoint of their own, and embed as published ones would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike_service.encoders.registry import load_encoder
from lookalike_service.settings import Settings
from tests import pictures
from tests.checkpoints import open_clip_checkpoint, timm_checkpoint
from tests.encoders import encode_images

Row = tuple[str, str, int, str, bool, bool]
"""Network, options, dim, pooling, closed form, text. Sizes are the smallest that are legal."""

TIMM: list[Row] = [
    ("vgg19", "?size=32", 512, "avg", True, False),
    ("vgg19", "?layer=pre_logits&size=32", 4096, "layer=pre_logits avg", True, False),
    ("inception_resnet_v2", "?size=128", 1536, "avg", True, False),
    ("inception_resnet_v2", "?pool=flatten", 98_304, "flatten", False, False),
    ("efficientnet_b0", "?size=32", 1280, "avg", True, False),
    ("efficientnet_b3", "?pool=cam&size=32", 1536, "cam", True, False),
    ("efficientnet_b3", "?layer=conv_head&size=32", 1536, "layer=conv_head avg", True, False),
    ("resnet50", "?pool=gem&size=64", 2048, "gem", False, False),
    ("resnet50", "?pool=max&layer=layer3&size=32", 1024, "layer=layer3 max", False, False),
    ("resnet50", "?layer=global_pool&size=32", 2048, "layer=global_pool flatten", False, False),
    ("vit_small_patch14_dinov2", "?size=56", 384, "cls", False, False),
    (
        "vit_small_patch14_dinov2",
        "?pool=avg&layer=blocks.5&size=56",
        384,
        "layer=blocks.5 avg",
        True,
        False,
    ),
    ("convnext_tiny", "?size=64", 768, "own", False, False),
    ("mobilenetv3_small_050", "?size=64", 288, "avg", True, False),
]
OPEN_CLIP: list[Row] = [
    ("ViT-B-32", "", 512, "own", False, True),
    ("ViT-S-32-alt", "?pool=cls", 384, "cls", False, False),
    (
        "ViT-S-32-alt",
        "?layer=transformer.resblocks.3",
        384,
        "layer=transformer.resblocks.3 cls",
        False,
        False,
    ),
    ("ViT-B-16-SigLIP", "", 768, "own", False, False),  # its tokenizer is transformers'
    ("MobileCLIP-S1", "?size=64", 512, "own", False, True),
]


@pytest.mark.parametrize(
    ("provider", "row"),
    [("timm", row) for row in TIMM] + [("open_clip", row) for row in OPEN_CLIP],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}{value[1]}",
)
def test_a_network_embeds_with_its_layer_and_pool(provider: str, row: Row, tmp_path: Path) -> None:
    name, options, dim, pooling, closed_form, text = row
    write = timm_checkpoint if provider == "timm" else open_clip_checkpoint
    spec = f"{provider}:{name}@{write(tmp_path, name)}{options}"
    encoder = load_encoder(spec, Settings())
    info = encoder.info
    assert (info.model, info.space.dim, info.space.pooling) == (spec, dim, pooling)
    assert info.closed_form is closed_form
    if name != "ViT-B-16-SigLIP":  # where transformers is installed, it embeds text
        assert info.text is text
    encoded = encode_images(encoder, pictures.scene(90, 60), pictures.scene(90, 60, seed=1))
    assert encoded.embeddings.shape == (2, dim)
    np.testing.assert_allclose(np.linalg.norm(encoded.embeddings, axis=1), 1, atol=1e-5)
    assert not np.allclose(encoded.embeddings[0], encoded.embeddings[1], atol=1e-7)


def test_open_clips_embeddings_are_those_of_open_clip(tmp_path: Path) -> None:
    import open_clip
    import torch

    for name in ("ViT-S-32-alt", "RN50"):
        file = open_clip_checkpoint(tmp_path, name)
        encoder = load_encoder(f"open_clip:{name}@{file}", Settings())
        model, _, transform = open_clip.create_model_and_transforms(name, pretrained=str(file))
        model.eval()
        from PIL import Image

        photograph = pictures.photograph("coffee")
        with torch.inference_mode():
            images = model.encode_image(
                transform(Image.fromarray(photograph))[None], normalize=True
            )
            texts = model.encode_text(open_clip.get_tokenizer(name)(["a cup"]), normalize=True)
        ours = encode_images(encoder, photograph).embeddings
        assert float((ours @ images.numpy().T)[0, 0]) > 0.9999
        assert float((encoder.encode_text(["a cup"]) @ texts.numpy().T)[0, 0]) > 0.9999


def test_timms_embeddings_are_those_of_timm_without_classes(tmp_path: Path) -> None:
    import timm
    import torch

    for name, size in (("convnext_atto", 64), ("vit_tiny_patch16_224", 224)):
        file = timm_checkpoint(tmp_path, name)
        encoder = load_encoder(f"timm:{name}@{file}?size={size}", Settings())
        model = timm.create_model(name, num_classes=0)
        state = torch.load(file, weights_only=True)
        model.load_state_dict({k: state[k] for k in model.state_dict()})
        pixels = encoder.preprocess(pictures.photograph("coffee"))[None]
        config: Any = model.pretrained_cfg
        images = (pixels / 255 - np.array(config["mean"])) / np.array(config["std"])
        with torch.inference_mode():
            theirs = model.eval()(torch.tensor(images.transpose(0, 3, 1, 2), dtype=torch.float32))
        ours = encoder.encode(pixels)
        np.testing.assert_allclose(
            ours.embeddings[0] * ours.norms[0], theirs[0].numpy(), rtol=1e-3, atol=1e-3
        )
