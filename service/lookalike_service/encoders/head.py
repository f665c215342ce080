"""A projection head on another encoder's embeddings, trained from a user's labels.

On disk a head is a folder with two files: `head.json`, its base encoder and shape, and
`weights.safetensors`, the state of `ProjectionHead`, float32.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from lookalike_service.encoders.network import Network
from lookalike_service.encoders.pooling import normalise
from lookalike_service.encoders.protocol import Encoded, Encoder, EncoderInfo, Pixels, Region
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.text import no_text
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.encoders.weights import load_state, read_state, sha256
from lookalike_service.errors import InvalidModel, WeightsMissing
from lookalike_service.spaces import Space

DESCRIPTION = "head.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class HeadDescription:
    """What a head stands on, and its shape; `base_space` is the id of the space it was trained in."""

    base: str
    base_space: str
    form: Literal["linear", "mlp"]
    base_dim: int
    dim: int
    format: Literal[1] = 1

    def __post_init__(self) -> None:
        sizes = (self.base_dim, self.dim)
        if self.form not in {"linear", "mlp"} or not all(
            type(size) is int and size > 0 for size in sizes
        ):
            raise InvalidModel(
                "A head's form is 'linear' or 'mlp', its base_dim and dim whole numbers above 0."
            )


class ProjectionHead(nn.Module):
    """One linear layer, or two with a ReLU between; `layers` is without the normalisation."""

    def __init__(self, description: HeadDescription) -> None:
        super().__init__()
        self.description = description
        base, dim = description.base_dim, description.dim
        self.layers = (
            nn.Sequential(nn.Linear(base, dim))
            if description.form == "linear"
            else nn.Sequential(nn.Linear(base, base), nn.ReLU(), nn.Linear(base, dim))
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project float32 (n, base dim), unit L2 norm, to (n, dim), unit L2 norm."""
        return nn.functional.normalize(self.layers(embeddings))


def save_head(head: ProjectionHead, folder: Path) -> None:
    """Write a head's two files; the folder is made, and files of an earlier one are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / DESCRIPTION).write_text(json.dumps(asdict(head.description), indent=2) + "\n")


def read_head(folder: Path) -> ProjectionHead:
    """The head in a folder, in evaluation mode. Raises WeightsMissing, InvalidModel."""
    for name in (DESCRIPTION, WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsMissing(f"There is no '{name}' in '{folder}': it is no head's folder.")
    head = ProjectionHead(_description(folder / DESCRIPTION))
    load_state(head, read_state(folder / WEIGHTS), WEIGHTS)
    return head.eval().requires_grad_(requires_grad=False)


def _description(file: Path) -> HeadDescription:
    try:
        parts: dict[str, Any] = json.loads(file.read_text())
        if (
            parts.keys() != {field.name for field in fields(HeadDescription)}
            or parts["format"] != 1
        ):
            raise InvalidModel(f"'{file.name}' is not of format 1.")
        return HeadDescription(**parts)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidModel(f"'{file.name}' is no head's description: {error}") from error


class HeadEncoder:
    """A base encoder's embeddings, projected."""

    def __init__(
        self, spec: EncoderSpec, base: Encoder, head: ProjectionHead, weights: str
    ) -> None:
        self._base, self._head = base, head
        self._layers_bytes = sum(t.nbytes for t in head.state_dict().values())
        made, described = base.info, head.description
        self.info = EncoderInfo(
            model=str(spec),
            space=Space(
                model=str(spec),
                weights=weights,
                pooling=f"{made.space.pooling} > {described.form} {described.dim}",
                preprocessing=made.space.preprocessing,
                dim=described.dim,
            ),
            input_size=made.input_size,
            text=False,
            license=made.license,
            device=made.device,
            dtype=made.dtype,
            closed_form=False,
            grid=made.grid,
            memory_bytes=made.memory_bytes + self._layers_bytes,
            decode_shorter=made.decode_shorter,
            plan=made.plan,
        )

    def preprocess(self, rgb: Pixels) -> Pixels:
        """As the base encoder does."""
        return self._base.preprocess(rgb)

    def region(self, width: int, height: int) -> Region:
        """As the base encoder's."""
        return self._base.region(width, height)

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        """Embed uint8 (n, height, width, 3), RGB; the features are the base encoder's.

        Raises what the base encoder does.
        """
        encoded = self._base.encode(pixels, features=features)
        with torch.inference_mode():
            projected = self._head.layers(torch.from_numpy(encoded.embeddings))
            embeddings, norms = normalise(projected)
        return Encoded(embeddings.numpy(), norms.numpy(), encoded.features)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG002 - the protocol's
        """Raise UnsupportedText."""
        raise no_text(self.info.model, "its head was trained on images alone")


class _HeadNetwork(Network):
    """The base's network with the head behind its pool; maps are the base's."""

    def __init__(self, base: Network, layers: nn.Module) -> None:
        super().__init__(
            base.backbone,
            nn.Sequential(base.pool, _Unit(), layers),
            prefix=base.prefix,
            classifier=base.classifier,
            trunk=base.trunk,
            ending=base.ending,
        )
        self._maps = base.maps

    def maps(self, features: Tensor) -> Tensor:
        """The maps (n, K, h, w) that the base's embedding of these features is pooled from."""
        return self._maps(features)


class _Unit(nn.Module):
    """What a head takes: vectors of unit L2 norm."""

    def forward(self, pooled: Tensor) -> Tensor:
        return nn.functional.normalize(pooled)


class ExplainedHeadEncoder(HeadEncoder):
    """A head on a torch encoder, whose whole network can be explained."""

    def __init__(
        self, spec: EncoderSpec, base: TorchEncoder, head: ProjectionHead, weights: str
    ) -> None:
        super().__init__(spec, base, head, weights)
        self.mean, self.std, self.classes = base.mean, base.std, base.classes
        # A copy: the network may be on a GPU, where the head itself need not be.
        layers = copy.deepcopy(head.layers).to(torch.device(base.info.device))
        self.network = _HeadNetwork(base.network, layers)
        self.class_logits, self.resumes = base.class_logits, base.resumes
        self.class_weights = None  # the classifier's are of the base's embedding


def load_head(spec: EncoderSpec, load: Callable[[str], Encoder]) -> HeadEncoder:
    """Build the encoder of a `head:` spec; `load` loads its base.

    Raises WeightsMissing, InvalidModel where the base makes another space than the head was trained in, and
    what loading the base raises.
    """
    folder = Path(spec.checkpoint or "").expanduser()
    head = read_head(folder)
    base = load(head.description.base)
    if base.info.space.id != head.description.base_space:
        raise InvalidModel(
            f"The head in '{folder}' was trained on embeddings of space {head.description.base_space}, but "
            f"'{base.info.model}' makes space {base.info.space.id} here: its weights, pooling or "
            "preprocessing differ."
        )
    identity = f"{sha256(folder / WEIGHTS)}{head.description.base_space}"
    weights = hashlib.sha256(identity.encode()).hexdigest()
    if isinstance(base, TorchEncoder):
        return ExplainedHeadEncoder(spec, base, head, weights)
    return HeadEncoder(spec, base, head, weights)
