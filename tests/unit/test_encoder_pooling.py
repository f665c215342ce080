"""Pools give one vector per image, from maps, tokens or vectors; normalising gives unit vectors, or zeros."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lookalike_service.encoders.pooling import (
    ClassActivation,
    as_maps,
    default_pool,
    grid_of,
    make_pool,
    normalise,
)
from lookalike_service.encoders.spec import Pool
from lookalike_service.errors import InvalidField

MAPS = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).view(2, 3, 2, 2)
TOKENS = torch.cat([torch.full((2, 1, 3), 100.0), MAPS.flatten(2).transpose(1, 2)], dim=1)


def pooled(pool: Pool, features: torch.Tensor, prefix: int = 0) -> torch.Tensor:
    output: torch.Tensor = make_pool(pool, features.shape, prefix)(features)
    return output


def test_zero_vectors_stay_zero_beside_unit_ones() -> None:
    embeddings, norms = normalise(torch.tensor([[0.0, 0, 0], [0, 4, 0], [1e-12, 0, 0]]))
    torch.testing.assert_close(embeddings, torch.tensor([[0.0, 0, 0], [0, 1, 0], [1, 0, 0]]))
    torch.testing.assert_close(norms, torch.tensor([0.0, 4, 1e-12]))


def test_the_average_and_the_maximum_are_over_positions() -> None:
    torch.testing.assert_close(pooled("avg", MAPS)[0], torch.tensor([1.5, 5.5, 9.5]))
    torch.testing.assert_close(pooled("max", MAPS)[0], torch.tensor([3.0, 7.0, 11.0]))


def test_the_generalised_mean_is_the_cube_root_of_the_mean_cube_of_what_is_positive() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, -5.0]]]])
    expected = ((1 + 8 + 27) / 4) ** (1 / 3)
    assert pooled("gem", maps).item() == pytest.approx(expected, rel=1e-5)


def test_flattening_keeps_every_value_channel_by_channel() -> None:
    torch.testing.assert_close(pooled("flatten", MAPS)[0], torch.arange(12.0))


@pytest.mark.parametrize("pool", ["avg", "max", "gem", "flatten"])
def test_patches_pool_like_the_maps_they_are_without_the_class_token(pool: Pool) -> None:
    torch.testing.assert_close(pooled(pool, TOKENS, prefix=1), pooled(pool, MAPS))


def test_the_class_token_is_the_first() -> None:
    torch.testing.assert_close(pooled("cls", TOKENS, prefix=1), torch.full((2, 3), 100.0))


def test_maps_of_tokens_are_laid_out_row_by_row() -> None:
    torch.testing.assert_close(as_maps(TOKENS, (2, 2)), MAPS)


@pytest.mark.parametrize(
    ("shape", "prefix", "grid"),
    [
        ((1, 8, 5, 7), 0, (5, 7)),
        ((1, 50, 8), 1, (7, 7)),
        ((1, 49, 8), 1, (7, 7)),  # before the class token joins
        ((1, 21, 8), 5, (4, 4)),
        ((1, 51, 8), 1, None),
        ((1, 8), 0, None),
    ],
)
def test_the_grid_is_that_of_the_patches(
    shape: tuple[int, ...], prefix: int, grid: tuple[int, int] | None
) -> None:
    assert grid_of(torch.Size(shape), prefix) == grid


def test_without_a_pool_vectors_stay_and_tokens_give_the_first_and_maps_the_average() -> None:
    assert default_pool(torch.Size((1, 8)), 0) == "flatten"
    assert default_pool(torch.Size((1, 50, 8)), 1) == "cls"
    assert default_pool(torch.Size((1, 49, 8)), 1) == "avg"
    assert default_pool(torch.Size((1, 49, 8)), 0) == "avg"
    assert default_pool(torch.Size((1, 8, 7, 7)), 0) == "avg"


@pytest.mark.parametrize(
    ("pool", "shape", "prefix", "says"),
    [
        ("cls", (1, 8, 7, 7), 0, "no class token"),
        ("cls", (1, 49, 8), 0, "no class token"),
        ("cls", (1, 49, 8), 1, "no class token"),
        ("avg", (1, 8), 0, "nothing to pool"),
        ("avg", (1, 51, 8), 1, "no grid"),
    ],
)
def test_a_pool_that_does_not_go_with_the_features_is_refused(
    pool: Pool, shape: tuple[int, ...], prefix: int, says: str
) -> None:
    with pytest.raises(InvalidField, match=says):
        make_pool(pool, torch.Size(shape), prefix)


def test_class_activation_weighs_each_image_by_its_own_predicted_class() -> None:
    classifier = nn.Linear(3, 2, bias=False)
    classifier.weight = nn.Parameter(torch.tensor([[1.0, 0, 0], [0, 2, 3]]), requires_grad=False)
    maps = torch.zeros(2, 3, 2, 2)
    maps[0, 0], maps[1, 1], maps[1, 2] = 4.0, 1.0, 1.0
    embeddings = ClassActivation((2, 2), classifier)(maps)
    torch.testing.assert_close(embeddings, torch.tensor([[4.0, 0, 0], [0, 2, 3]]))
