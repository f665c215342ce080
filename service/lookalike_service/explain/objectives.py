"""What a map explains: a number that an image's embedding or class scores give, and its gradient.

The gradient is with respect to the embedding before normalisation, e, or to the class logits. Where the
network goes on from there is not the objective's business: see `gradcam` and `backprop`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Output = Literal["embedding", "logits"]

SAME_DIRECTION = 1e-4
"""Sine of the angle below which two float32 embeddings are one image's: its gradient is rounding noise."""


class Objective(Protocol):
    """A scalar function of what the network puts out for one image."""

    output: ClassVar[Output]
    """What it is a function of: the embedding before normalisation, (dim,), or the logits, (classes,)."""

    def value(self, output: Vector) -> float:
        """The number that is explained."""

    def gradient(self, output: Vector) -> Vector:
        """Its derivative, of the shape of `output`."""


@dataclass(frozen=True, slots=True)
class Norm:
    """‖e‖, what the embedding is made of; its gradient is ê = e / ‖e‖.

    An image's likeness to itself is at its maximum, where the gradient vanishes; the norm before
    normalisation shows where the embedding comes from instead.
    """

    output: ClassVar[Output] = "embedding"

    def value(self, output: Vector) -> float:
        """The norm."""
        return float(np.linalg.norm(output))

    def gradient(self, output: Vector) -> Vector:
        """The embedding's direction; zeros for an embedding of zeros."""
        return direction_of(output)


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """d·ê - `offset`: how far the unit embedding lies along a direction d of the space, float (dim,).

    With another unit embedding for d it is their cosine, with a principal component the coordinate on it,
    with the difference of two centroids how much nearer the one is. Gradient: (d - (d·ê) ê) / ‖e‖.
    """

    output: ClassVar[Output] = "embedding"
    direction: NDArray[np.floating]
    offset: float = 0.0

    def value(self, output: Vector) -> float:
        """The coordinate; -`offset` for an embedding of zeros."""
        return float(self.direction @ direction_of(output)) - self.offset

    def gradient(self, output: Vector) -> Vector:
        """Zeros where it vanishes: for a direction that is the embedding's own, and embeddings of zeros."""
        if self.direction.shape != output.shape:
            raise ValueError(
                f"The direction has shape {self.direction.shape}, the embedding {output.shape}."
            )
        unit, norm = direction_of(output), np.linalg.norm(output)
        wanted = self.direction.astype(np.float64)
        across: Vector = wanted - (wanted @ unit) * unit
        if norm == 0 or np.linalg.norm(across) <= SAME_DIRECTION * np.linalg.norm(wanted):
            return np.zeros_like(unit)
        return across / norm


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """w·e + `bias`: the score of a class whose classifier is linear in the embedding; w is float (dim,)."""

    output: ClassVar[Output] = "embedding"
    weights: NDArray[np.floating]
    bias: float

    def value(self, output: Vector) -> float:
        """The class's score, before softmax."""
        return float(self.weights @ output) + self.bias

    def gradient(self, output: Vector) -> Vector:
        """The weights, whatever the embedding. Raises ValueError for one of another dimension."""
        if self.weights.shape != output.shape:
            raise ValueError(f"The weights are {self.weights.shape}, the embedding {output.shape}.")
        return self.weights.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Logit:
    """The score of one class, before softmax, whatever the classifier."""

    output: ClassVar[Output] = "logits"
    index: int

    def value(self, output: Vector) -> float:
        """The class's logit."""
        return float(output[self.index])

    def gradient(self, output: Vector) -> Vector:
        """One for the class, zero for the others."""
        chosen = np.zeros_like(output)
        chosen[self.index] = 1
        return chosen


def direction_of(vector: NDArray[np.floating]) -> Vector:
    """A vector of unit norm, float64; zeros stay zeros."""
    norm = np.linalg.norm(vector)
    wide: Vector = vector.astype(np.float64)
    return wide / norm if norm > 0 else wide
