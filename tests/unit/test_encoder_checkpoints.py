"""A user's checkpoint loads as training scripts leave it; one that does not fit or is not safe is refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.encoders.weights import own_names, read_state, sha256
from lookalike_service.errors import InvalidField, InvalidModel, UnsupportedTarget, WeightsMissing
from lookalike_service.settings import Settings
from tests import pictures
from tests.checkpoints import open_clip_checkpoint, saved, timm_checkpoint
from tests.encoders import encode_images

NAME, HEAD = "resnet10t", "fc"
SHARED = Path(os.environ.get("LOOKALIKE_SHARED", Path(__file__).parents[2].parent / "shared"))


def load(file: Path, options: str = "?size=32", name: str = NAME) -> TorchEncoder:
    encoder = load_encoder(f"timm:{name}@{file}{options}", Settings())
    assert isinstance(encoder, TorchEncoder)
    return encoder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return timm_checkpoint(tmp_path, NAME, num_classes=7)


@pytest.fixture
def state(file: Path) -> dict[str, torch.Tensor]:
    return read_state(file)


def vectors(encoder: TorchEncoder) -> np.ndarray[Any, Any]:
    return encode_images(encoder, pictures.scene(60, 50), pictures.scene(50, 60, seed=1)).embeddings


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "backbone.", "module.model.", "_orig_mod."]
)
def test_what_wrappers_put_before_names_is_taken_off(
    file: Path, state: dict[str, torch.Tensor], prefix: str
) -> None:
    wrapped = saved({prefix + k: v for k, v in state.items()}, file.with_name("wrapped.pth"))
    np.testing.assert_array_equal(vectors(load(wrapped)), vectors(load(file)))


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
def test_the_state_dict_is_found_within_a_training_checkpoint(
    file: Path, state: dict[str, torch.Tensor], wrapper: str
) -> None:
    content = {"epoch": 3, wrapper: state, "optimizer": {"lr": 0.1}}
    training = saved(content, file.with_name("training.pth"))
    np.testing.assert_array_equal(vectors(load(training)), vectors(load(file)))


def test_safetensors_load_alike(file: Path, state: dict[str, torch.Tensor]) -> None:
    safe = file.with_name("own.safetensors")
    save_file({k: v.contiguous().clone() for k, v in state.items()}, safe)
    np.testing.assert_array_equal(vectors(load(safe)), vectors(load(file)))


def test_counters_of_training_batches_may_be_absent(
    file: Path, state: dict[str, torch.Tensor]
) -> None:
    without = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    assert len(without) < len(state)
    old = saved(without, file.with_name("old.pth"))
    np.testing.assert_array_equal(vectors(load(old)), vectors(load(file)))


def test_the_number_of_classes_is_that_of_the_checkpoints_head(file: Path) -> None:
    encoder = load(file)
    pixels = encoder.preprocess(pictures.scene())[None]
    assert encoder.class_logits(pixels).shape == (1, 7)


def test_a_checkpoint_without_a_head_has_no_classes(
    file: Path, state: dict[str, torch.Tensor]
) -> None:
    body = {k: v for k, v in state.items() if not k.startswith(HEAD)}
    encoder = load(saved(body, file.with_name("body.pth")))
    np.testing.assert_array_equal(vectors(encoder), vectors(load(file)))
    with pytest.raises(UnsupportedTarget, match="no classes"):
        encoder.class_logits(encoder.preprocess(pictures.scene())[None])
    with pytest.raises(InvalidField, match="has none here"):
        load(file.with_name("body.pth"), "?pool=cam")


def test_the_weights_are_identified_by_the_files_sha256(file: Path) -> None:
    assert load(file).info.space.weights == sha256(file)


@pytest.mark.parametrize(
    "options",
    [
        "?pool=gem&size=32",
        "?pool=max&size=32",
        "?pool=cam&size=32",
        "?layer=layer4&size=32",
        "?size=64",
    ],
)
def test_another_layer_pool_or_size_is_another_space(file: Path, options: str) -> None:
    assert load(file, options).info.space.id != load(file).info.space.id


def test_a_vision_transformer_takes_the_input_size_its_positions_were_trained_at(
    tmp_path: Path,
) -> None:
    name = "vit_tiny_patch16_224"
    file = timm_checkpoint(tmp_path, name, img_size=64)
    assert load(file, "", name).info.input_size == (64, 64)
    assert load(file, "?size=96", name).info.grid == (6, 6)


# -- classes


def test_class_names_come_from_the_option_or_from_beside_the_checkpoint(file: Path) -> None:
    names = [f"grade {i}" for i in range(7)]
    assert load(file).classes == ()
    file.with_suffix(".classes.txt").write_text("\n".join(names))
    assert load(file).classes == tuple(names)
    other = file.with_name("names")
    other.write_text("\n".join(reversed(names)))
    assert load(file, f"?size=32&classes={other}").classes == tuple(reversed(names))


def test_class_names_of_another_number_are_refused(file: Path) -> None:
    file.with_suffix(".classes.txt").write_text("one\ntwo\n")
    with pytest.raises(InvalidModel, match="2 class names for 7 classes"):
        load(file)


def test_a_missing_file_of_class_names_is_refused(file: Path) -> None:
    with pytest.raises(InvalidField, match="no file of class names '/no/names'"):
        load(file, "?classes=/no/names")


# -- configuration beside the checkpoint


def configure(file: Path, **content: Any) -> None:
    file.with_suffix(".json").write_text(json.dumps(content))


def test_the_configuration_beside_a_checkpoint_sets_architecture_and_preprocessing(
    tmp_path: Path,
) -> None:
    file = timm_checkpoint(tmp_path, NAME, stem_type="deep", num_classes=2)
    before = file.read_bytes()
    configure(
        file,
        architecture=NAME,
        model_args={"stem_type": "deep"},
        pretrained_cfg={"input_size": [3, 48, 48], "mean": [0.5] * 3, "crop_pct": 1.0},
        label_names=["well", "ill"],
    )
    encoder = load(file, "")
    assert encoder.info.input_size == (48, 48)
    assert "mean=0.5,0.5,0.5" in encoder.info.space.preprocessing
    assert encoder.classes == ("well", "ill")
    assert encoder.info.space.weights != sha256(file), "other arguments are another network"
    assert file.read_bytes() == before


def test_a_configuration_of_another_architecture_is_refused(file: Path) -> None:
    configure(file, architecture="resnet50")
    with pytest.raises(InvalidModel, match="configures 'resnet50', not 'resnet10t'"):
        load(file)


@pytest.mark.parametrize("content", ["{", "[]", '{"pretrained_cfg": 3}'])
def test_a_damaged_configuration_is_refused(file: Path, content: str) -> None:
    file.with_suffix(".json").write_text(content)
    with pytest.raises(InvalidModel, match=r"resnet10t\.json"):
        load(file)


def test_arguments_that_the_architecture_has_not_are_refused(file: Path) -> None:
    configure(file, architecture=NAME, model_args={"no_such_argument": 1})
    with pytest.raises(InvalidModel, match="no_such_argument"):
        load(file)


# -- what does not fit


def test_missing_unexpected_and_reshaped_tensors_are_named_and_counted(
    file: Path, state: dict[str, torch.Tensor]
) -> None:
    state["criterion.weight"] = torch.zeros(2)
    names = [name for name in state if name.startswith("layer4.0.conv")]
    for name in names:
        del state[name]
    state["layer1.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    with pytest.raises(InvalidModel) as raised:
        load(saved(state, file.with_name("unfit.pth")))
    detail = raised.value.detail
    assert f"{len(names)} missing ({names[0]}" in detail
    assert "1 unexpected (criterion.weight)" in detail
    assert "1 of another shape (layer1.0.conv1.weight (1, 2, 3, 3) for (64" in detail


def test_a_checkpoint_of_another_network_names_the_first_few_keys(tmp_path: Path) -> None:
    file = timm_checkpoint(tmp_path, "vit_tiny_patch16_224")
    with pytest.raises(InvalidModel, match=r"missing \(conv1.*, …\); \d+ unexpected \(cls_token"):
        load(file)


def test_an_open_clip_checkpoint_that_does_not_fit_names_the_keys(tmp_path: Path) -> None:
    file = open_clip_checkpoint(tmp_path, "ViT-S-32-alt")
    with pytest.raises(InvalidModel, match=r"of another shape \(positional_embedding"):
        load_encoder(f"open_clip:ViT-M-32-alt@{file}", Settings())


def test_an_open_clip_checkpoint_of_a_wrapper_loads_alike(tmp_path: Path) -> None:
    file = open_clip_checkpoint(tmp_path, "ViT-S-32-alt")
    state = {f"module.{k}": v for k, v in read_state(file).items() if k != "logit_scale"}
    wrapped = saved({"epoch": 1, "state_dict": state}, tmp_path / "wrapped.pt")
    plain, other = (
        load_encoder(f"open_clip:ViT-S-32-alt@{path}", Settings()) for path in (file, wrapped)
    )
    image = pictures.scene()
    np.testing.assert_array_equal(
        encode_images(plain, image).embeddings, encode_images(other, image).embeddings
    )


def test_two_networks_in_one_checkpoint_are_refused(state: dict[str, torch.Tensor]) -> None:
    both = {f"{p}.{k}": v for p in ("model", "module") for k, v in state.items()}
    with pytest.raises(InvalidModel, match="twice"):
        own_names(both, state)


# -- what is not safe, or no checkpoint


class Hostile:
    """Pickles into a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("owned"),))


def test_a_checkpoint_that_would_run_code_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Hostile()}, tmp_path / "hostile.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"weight": Hostile()}, protocol=2))
    for name in ("hostile.pth", "plain.pth"):
        with pytest.raises(InvalidModel, match=rf"'{name}' is not a file of tensors"):
            load(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_a_whole_pickled_model_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    whole = saved(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(InvalidModel, match=r"torch\.save\(model\.state_dict\(\), file\)"):
        load(whole)


def test_a_torchscript_archive_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/constants.pkl", b"")
    with pytest.raises(InvalidModel, match="TorchScript archive"):
        load(tmp_path / "script.pt")


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidModel, match=f"'{name}'"):
        read_state(tmp_path / name)


def test_a_file_without_a_state_dict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="holds a Tensor"):
        read_state(saved(torch.zeros(3), tmp_path / "tensor.pth"))
    with pytest.raises(InvalidModel, match=r"holds no tensors .* but epoch"):
        read_state(saved({"epoch": 3}, tmp_path / "empty.pth"))


def test_a_missing_checkpoint_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"no checkpoint '/no/such\.pth'"):
        load(Path("/no/such.pth"))
    timm_checkpoint(tmp_path, NAME)
    with pytest.raises(WeightsMissing, match=r"is a folder; .* \(it holds resnet10t\.pth\)"):
        load(tmp_path)


def test_weights_that_are_not_finite_fail_the_image_and_do_not_become_zeros(
    file: Path, state: dict[str, torch.Tensor]
) -> None:
    from lookalike_service.errors import EncoderFailed

    state["conv1.0.weight"] = state["conv1.0.weight"] * float("nan")
    encoder = load(saved(state, file.with_name("damaged.pth")))
    with pytest.raises(EncoderFailed, match="not finite"):
        vectors(encoder)


# -- real weights


@pytest.mark.skipif(
    not (SHARED / "data/mobilenetv2_100_tf2ptq.pth").is_file(), reason="needs the shared weights"
)
def test_real_weights_with_their_configuration_see_a_cat(tmp_path: Path) -> None:
    file = tmp_path / "mobilenetv2.pth"
    file.symlink_to(SHARED / "data/mobilenetv2_100_tf2ptq.pth")
    configure(
        file,
        architecture="mobilenetv2_100",
        model_args={"pad_type": "same"},
        pretrained_cfg={"mean": [0.5] * 3, "std": [0.5] * 3},
    )
    encoder = load(file, "", "mobilenetv2_100")
    assert encoder.info.space.dim == 1280
    pixels = encoder.preprocess(pictures.photograph("chelsea"))[None]
    assert encoder.class_logits(pixels)[0].argmax() in range(281, 286)
    weighted = load(file, "?pool=cam", "mobilenetv2_100")
    assert weighted.info.closed_form
    assert encode_images(weighted, pictures.photograph("chelsea")).norms[0] > 0
