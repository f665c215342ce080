"""Pooling gives unit vectors, or zeros where there is nothing to normalise."""

from __future__ import annotations

import torch

from lookalike_service.encoders.pooling import normalised_average


def test_zero_maps_give_a_zero_vector_beside_unit_ones() -> None:
    maps = torch.zeros(3, 5, 2, 2)
    maps[1, 2] = 4.0
    maps[2, :, 0, 0] = 1e-12
    embeddings, norms = normalised_average(maps)
    torch.testing.assert_close(embeddings[0], torch.zeros(5))
    torch.testing.assert_close(embeddings[1], torch.tensor([0.0, 0, 1, 0, 0]))
    torch.testing.assert_close(embeddings[2].norm(), torch.tensor(1.0))
    torch.testing.assert_close(norms[:2], torch.tensor([0.0, 4]))
