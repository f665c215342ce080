"""A spec is one encoder, however it is written; what is none is refused with what is allowed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.encoders.spec import OPTIONS, POOLS, EncoderSpec
from lookalike_service.errors import InvalidField, LookalikeError, UnknownModel

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
values: dict[str, st.SearchStrategy[Any]] = {
    "pool": st.sampled_from([pool for pool in POOLS if pool != "cam"]),
    "layer": texts,
    "size": st.integers(1, 4096),
}


@st.composite
def specs(draw: st.DrawFn) -> EncoderSpec:
    provider = draw(st.sampled_from(["timm", "open_clip", "pixels", "autoencoder", "head"]))
    if provider == "pixels":
        name = draw(st.from_regex(r"[1-9][0-9]{0,3}x[1-9][0-9]{0,3}-(grey|rgb)", fullmatch=True))
        return EncoderSpec(provider="pixels", name=name)
    if provider in ("autoencoder", "head"):
        return EncoderSpec(provider=provider, checkpoint=draw(texts))  # type: ignore[arg-type] # a literal
    chosen = draw(st.sets(st.sampled_from(sorted(values))))
    options = {option: draw(values[option]) for option in chosen}
    if draw(st.booleans()):
        options["checkpoint"] = draw(texts)
    else:
        options["revision"] = draw(texts)
        options["weights"] = draw(names) if provider == "open_clip" else None
    return EncoderSpec(provider=provider, name=draw(names), **options)  # type: ignore[arg-type] # a literal


@given(specs())
def test_a_spec_is_what_its_text_says(spec: EncoderSpec) -> None:
    assert EncoderSpec.parse(str(spec)) == spec
    assert str(EncoderSpec.parse(str(spec))) == str(spec)


@given(specs())
def test_a_spec_is_what_its_json_says(spec: EncoderSpec) -> None:
    assert EncoderSpec.parse(json.loads(json.dumps(spec.to_json()))) == spec


@given(specs(), specs())
def test_other_specs_have_another_text(one: EncoderSpec, other: EncoderSpec) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(st.text(max_size=60))
def test_any_text_is_a_spec_or_refused_with_a_reason(text: str) -> None:
    with suppress(InvalidField, UnknownModel):
        assert isinstance(EncoderSpec.parse(text), EncoderSpec)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("timm:resnet50", EncoderSpec(provider="timm", name="resnet50")),
        ("timm:resnet50.a1_in1k", EncoderSpec(provider="timm", name="resnet50.a1_in1k")),
        (
            "open_clip:ViT-B-32/laion2b_s34b_b79k",
            EncoderSpec(provider="open_clip", name="ViT-B-32", weights="laion2b_s34b_b79k"),
        ),
        (
            "timm:efficientnet_b3@/data/own model.pth?layer=conv_head&pool=gem&size=300",
            EncoderSpec(
                provider="timm",
                name="efficientnet_b3",
                checkpoint="/data/own model.pth",
                layer="conv_head",
                pool="gem",
                size=300,
            ),
        ),
        ("pixels:150x150-grey", EncoderSpec(provider="pixels", name="150x150-grey")),
        ("autoencoder:/data/x@2", EncoderSpec(provider="autoencoder", checkpoint="/data/x@2")),
    ],
)
def test_specs_read_as_documented(text: str, spec: EncoderSpec) -> None:
    assert EncoderSpec.parse(text) == spec


def test_options_are_written_in_one_order() -> None:
    one = EncoderSpec.parse("timm:resnet50?size=64&pool=max")
    assert str(one) == str(EncoderSpec.parse("timm:resnet50?pool=max&size=64"))


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("resnet50", UnknownModel, "needs a kind and a name"),
        ("", UnknownModel, "needs a kind and a name"),
        ("tim:resnet50", UnknownModel, "Did you mean 'timm'"),
        ("9999:x", UnknownModel, "Kinds: timm, open_clip, pixels, autoencoder"),
        ("timm:", InvalidField, "as in 'timm:resnet50"),
        ("timm:res net", InvalidField, "as in 'timm:resnet50"),
        ("timm:resnet50/a1", InvalidField, "not written as 'timm:resnet50"),
        ("timm:resnet50@", InvalidField, "not written as"),
        ("open_clip:RN50/openai@/x.pt", InvalidField, "not both"),
        ("open_clip:RN50/", InvalidField, "not written as"),
        ("pixels:150-grey", InvalidField, "as in 'pixels:150x150-grey"),
        ("pixels:0x10-grey", InvalidField, "as in 'pixels:150x150-grey"),
        ("pixels:9x9-grey?pool=avg", InvalidField, "it takes none"),
        ("autoencoder:", InvalidField, "not written as"),
        ("timm:resnet50?pol=avg", InvalidField, "it takes pool, layer, size, revision, classes"),
        ("timm:resnet50?pool=mean", InvalidField, "pools: avg, gem, max, cls, flatten, cam"),
        ("timm:resnet50?pool=", InvalidField, "is empty"),
        ("timm:resnet50?pool", InvalidField, "'name=value'"),
        ("timm:resnet50?pool=avg&pool=max", InvalidField, "once"),
        ("timm:resnet50?size=big", InvalidField, "a number of pixels"),
        ("timm:resnet50?size=0", InvalidField, "1 to 4096"),
        ("timm:resnet50@/x.pth?revision=main", InvalidField, "a checkpoint has none"),
        ("timm:resnet50?classes=/x.txt", InvalidField, "those of a checkpoint"),
        ("timm:resnet50?pool=cam&layer=layer3", InvalidField, "takes no layer"),
        ("open_clip:RN50/openai?pool=cam", InvalidField, "timm classifier"),
        ("open_clip:RN50/openai?classes=x", InvalidField, "it takes pool, layer, size, revision;"),
    ],
)
def test_what_is_no_spec_is_refused_with_what_is_allowed(
    text: str, error: type[LookalikeError], says: str
) -> None:
    with pytest.raises(error) as raised:
        EncoderSpec.parse(text)
    assert says.rstrip(";") in raised.value.detail


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"name": "resnet50"}, "needs a 'provider'"),
        ({"provider": "timm", "name": "resnet50", "pol": "avg"}, "has no 'pol'"),
        ({"provider": "timm", "name": 5}, "'name' is text"),
        ({"provider": "timm", "name": "resnet50", "size": "64"}, "'size' is a whole number"),
        ({"provider": "timm", "name": "resnet50", "size": True}, "'size' is a whole number"),
    ],
)
def test_json_that_is_no_spec_is_refused_with_what_is_allowed(
    value: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidField, match=says):
        EncoderSpec.parse(value)


def test_every_option_is_a_part_of_the_spec() -> None:
    assert all(option in EncoderSpec.__dataclass_fields__ for o in OPTIONS.values() for option in o)
