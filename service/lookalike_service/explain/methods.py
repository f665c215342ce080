"""How feature maps and a target's gradient become a heat map: one row each.

A is float64 (K, h, w), the maps of the explained layer, and G the target's gradient with respect to them,
of the same shape, or (K, 1, 1) where it is the same at every position. A method gives the terms (K, h, w)
whose sum over K is the map; what is negative in the sum speaks against the target and is not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Method:
    """A row: `terms` of A and G. `targeted`: whether the target has any influence."""

    name: str
    meaning: str
    terms: Callable[[Maps, Maps], Maps]
    targeted: bool = True


def _gradcam(maps: Maps, gradient: Maps) -> Maps:
    return np.asarray(gradient.mean(axis=(1, 2), keepdims=True) * maps)


def _hirescam(maps: Maps, gradient: Maps) -> Maps:
    return gradient * maps


def _layercam(maps: Maps, gradient: Maps) -> Maps:
    return np.maximum(gradient, 0) * maps


def _gradcam_plus_plus(maps: Maps, gradient: Maps) -> Maps:
    """Equation 19, G² / (2 G² + ΣA G³), is 1 / (2 + ΣA G) wherever G is not zero."""
    gradient = np.broadcast_to(gradient, maps.shape)
    bottom = 2 + maps.sum(axis=(1, 2), keepdims=True) * gradient
    alpha = np.divide(1, bottom, out=np.zeros_like(bottom), where=(gradient != 0) & (bottom != 0))
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=(1, 2), keepdims=True)
    return np.asarray(weights * maps)


def _eigencam(maps: Maps, gradient: Maps) -> Maps:
    """The sign that a singular vector leaves open is the one that grows with the features' magnitude."""
    del gradient  # it knows no target
    centred = maps - maps.mean(axis=(1, 2), keepdims=True)
    flat = centred.reshape(len(maps), -1)
    component = np.linalg.svd(flat, full_matrices=False)[0][:, 0]
    magnitude = np.linalg.norm(maps.reshape(len(maps), -1), axis=0)
    sign = -1 if (component @ flat) @ (magnitude - magnitude.mean()) < 0 else 1
    return np.asarray(sign * component[:, None, None] * centred)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("gradcam", "Selvaraju et al., 2017, arXiv:1610.02391", _gradcam),
        Method("hirescam", "Draelos & Carin, 2020, arXiv:2011.08891", _hirescam),
        Method("gradcam++", "Chattopadhyay et al., 2018, arXiv:1710.11063", _gradcam_plus_plus),
        Method("layercam", "Jiang et al., 2021, doi:10.1109/TIP.2021.3089943", _layercam),
        Method("eigencam", "Muhammad & Yeasin, 2020, arXiv:2008.00299", _eigencam, targeted=False),
    )
}
