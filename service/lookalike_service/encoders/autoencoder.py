"""The encoder half of a convolutional autoencoder that was trained on a user's own pictures.

On disk an autoencoder is a folder with two files: `autoencoder.json`, the architecture, and
`weights.safetensors`, the state of `ConvAutoencoder`, float32.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file
from torch import Tensor, nn

from lookalike_service.encoders.network import Network
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.squash import Squash
from lookalike_service.encoders.torch_encoder import Parts
from lookalike_service.encoders.weights import load_state, read_state, weights_id
from lookalike_service.errors import InvalidModel, WeightsMissing

ARCHITECTURE = "autoencoder.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of an autoencoder; `dim` numbers are its bottleneck, `size` the side of what it sees.

    Raises InvalidModel for a size that the stages do not halve evenly.
    """

    dim: int = 150
    size: int = 128
    channels: tuple[int, ...] = (128, 64, 32)
    hidden: int = 256
    format: Literal[1] = 1

    def __post_init__(self) -> None:
        counts = (self.dim, self.size, self.hidden, *self.channels)
        if not self.channels or not all(type(count) is int and count > 0 for count in counts):
            raise InvalidModel(
                "An autoencoder's dim, size, channels and hidden are whole numbers above 0."
            )
        if self.size % 2 ** len(self.channels):
            raise InvalidModel(
                f"Size {self.size} is not halved evenly by {len(self.channels)} stages: "
                f"it must be a multiple of {2 ** len(self.channels)}."
            )

    @property
    def grid(self) -> int:
        """The side of the last maps."""
        return self.size // int(2 ** len(self.channels))


class ConvAutoencoder(nn.Module):
    """Convolution, batch norm, ReLU and halving per stage, then two dense layers; and the way back.

    `features`: RGB in [0, 1], float32 (n, 3, size, size), to maps (n, K, grid, grid). `bottleneck`: maps to
    (n, dim), not negative. `decoder`: those to RGB in [0, 1] again.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        last = architecture.channels[-1]
        flat = last * architecture.grid**2
        self.features = nn.Sequential(
            *(
                _stage(before, after)
                for before, after in zip(
                    (3, *architecture.channels), architecture.channels, strict=False
                )
            )
        )
        self.bottleneck = nn.Sequential(
            nn.Flatten(),
            nn.Linear(flat, architecture.hidden),
            nn.Linear(architecture.hidden, architecture.dim),
            nn.ReLU(),
        )
        back = architecture.channels[::-1]
        self.decoder = nn.Sequential(
            nn.Linear(architecture.dim, architecture.hidden),
            nn.Linear(architecture.hidden, flat),
            nn.ReLU(),
            nn.Unflatten(1, (last, architecture.grid, architecture.grid)),
            *(_unstage(before, after) for before, after in zip((last, *back), back, strict=False)),
            nn.Conv2d(back[-1], 3, 1),
            nn.Sigmoid(),
        )

    def encode(self, images: Tensor) -> Tensor:
        """RGB in [0, 1], float32 (n, 3, size, size), to (n, dim)."""
        encoded: Tensor = self.bottleneck(self.features(images))
        return encoded

    def forward(self, images: Tensor) -> Tensor:
        """The reconstruction of RGB in [0, 1], float32 (n, 3, size, size)."""
        reconstructed: Tensor = self.decoder(self.encode(images))
        return reconstructed


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def _unstage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def save_autoencoder(model: ConvAutoencoder, folder: Path) -> None:
    """Write an autoencoder's two files; the folder is made, and files of an earlier one are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    save_file(state, folder / WEIGHTS)
    (folder / ARCHITECTURE).write_text(json.dumps(asdict(model.architecture), indent=2) + "\n")


def read_autoencoder(folder: Path) -> ConvAutoencoder:
    """The autoencoder in a folder, in evaluation mode. Raises WeightsMissing, InvalidModel."""
    for name in (ARCHITECTURE, WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsMissing(
                f"There is no '{name}' in '{folder}': it is no autoencoder's folder."
            )
    model = ConvAutoencoder(_architecture(folder / ARCHITECTURE))
    load_state(model, read_state(folder / WEIGHTS), WEIGHTS)
    return model.eval()


def _architecture(file: Path) -> Architecture:
    try:
        parts: dict[str, Any] = json.loads(file.read_text())
        if parts.keys() != {field.name for field in fields(Architecture)} or parts["format"] != 1:
            raise InvalidModel(f"'{file.name}' is not of format 1.")
        return Architecture(**{**parts, "channels": tuple(parts["channels"])})
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidModel(f"'{file.name}' is no autoencoder's architecture: {error}") from error


def autoencoder_parts(spec: EncoderSpec) -> Parts:
    """What the encoder of a spec of kind `autoencoder:` is made of. Raises WeightsMissing, InvalidModel."""
    folder = Path(spec.checkpoint or "").expanduser()
    model = read_autoencoder(folder)
    size = model.architecture.size
    return Parts(
        spec=spec,
        network=Network(model.features, model.bottleneck),
        preprocessing=Squash(size, size, "bilinear"),
        input_size=(size, size),
        weights=weights_id(folder / WEIGHTS),
        pooling="bottleneck",
        license="unspecified",
        text="an autoencoder sees images alone",
    )
