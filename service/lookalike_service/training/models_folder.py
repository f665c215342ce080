"""The folder of trained models: one folder each, under the name of its collection.

A training's folder is `<models>/<collection>/.<name>` until it is done, and loses its dot then: what has no
dot is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.errors import TrainingExists, UnknownTraining

CHECKPOINT = "checkpoint.safetensors"
"""In the folder of a training that is not done: its state after the last epoch."""
_FINGERPRINT = "fingerprint"
_HEAD = "head.json"
_RECORD = "training.json"
_SHEET = "reconstructions.png"


class ModelsFolder:
    """Trained models by collection and name, both of the form that `schemas.base.Name` allows."""

    def __init__(self, root: Path) -> None:
        # Absolute: a model's path is part of its spec, which outlives the working directory.
        self._root = root.expanduser().absolute()

    def specs(self) -> list[str]:
        """The encoder spec of every trained model."""
        return [record["model"] for record in self._records("*")]

    def collection_of(self, model: str) -> str | None:
        """The collection that a model was trained on, by its spec; None for one not trained here.

        Raises UnknownModel, InvalidField for what is no spec.
        """
        checkpoint = EncoderSpec.parse(model).checkpoint
        if checkpoint is None:
            return None
        place = Path(os.path.normpath(Path(checkpoint).expanduser().absolute()))
        if not place.is_relative_to(self._root) or place == self._root:
            return None
        return place.relative_to(self._root).parts[0]

    def standing_on(self, model: str) -> list[str]:
        """The encoder specs of the heads whose base is this model."""
        return [
            record["model"]
            for file in sorted(self._root.glob(f"*/[!.]*/{_HEAD}"))
            if json.loads(file.read_text())["base"] == model
            for record in [json.loads((file.parent / _RECORD).read_text())]
        ]

    def of_collection(self, collection: str) -> list[dict[str, Any]]:
        """The record of each of a collection's models, by name."""
        return self._records(collection)

    def record(self, collection: str, name: str) -> dict[str, Any]:
        """A model's record. Raises UnknownTraining naming those there are."""
        if not self.exists(collection, name):
            names = [record["name"] for record in self.of_collection(collection)]
            raise UnknownTraining(
                f"Collection '{collection}' has no training '{name}'; it has: {', '.join(names) or 'none'}."
            )
        found: dict[str, Any] = json.loads((self._done(collection, name) / _RECORD).read_text())
        return found

    def sheet(self, collection: str, name: str) -> bytes | None:
        """The reconstruction sheet, PNG; None for a model that has none."""
        file = self._done(collection, name) / _SHEET
        return file.read_bytes() if file.is_file() else None

    def exists(self, collection: str, name: str) -> bool:
        """Whether there is a whole model of this name."""
        return (self._done(collection, name) / _RECORD).is_file()

    def check_free(self, collection: str, name: str) -> None:
        """Return if the name is free. Raises TrainingExists."""
        if self.exists(collection, name):
            raise TrainingExists(
                f"Collection '{collection}' has a training '{name}' already, and vectors may stand on it: "
                "choose another name, or delete it first."
            )

    def begin(self, collection: str, name: str, fingerprint: str) -> Path:
        """The folder that a training works in.

        `fingerprint` is of its data and parameters: what a training of the same left there is there still,
        what one of others left is gone.
        """
        folder = self._unfinished(collection, name)
        file = folder / _FINGERPRINT
        if not file.is_file() or file.read_text() != fingerprint:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            file.write_text(fingerprint)
        return folder

    def is_of(self, collection: str, name: str, fingerprint: str) -> bool:
        """Whether there is a whole model of this name, of these data and parameters."""
        file = self._done(collection, name) / _FINGERPRINT
        return self.exists(collection, name) and file.read_text() == fingerprint

    def spec(self, kind: str, collection: str, name: str) -> str:
        """The encoder spec of a model, trained already or not."""
        spec = {"provider": kind, "checkpoint": str(self._done(collection, name))}
        return str(EncoderSpec.parse(spec))

    def finish(
        self, collection: str, name: str, record: Mapping[str, Any], sheet: bytes | None
    ) -> None:
        """Add record and sheet to an unfinished training's folder, and give it its name.

        Raises TrainingExists.
        """
        self.check_free(collection, name)
        folder = self._unfinished(collection, name)
        if sheet is not None:
            (folder / _SHEET).write_bytes(sheet)
        with (folder / _RECORD).open("w") as file:
            json.dump(record, file, indent=2, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        (folder / CHECKPOINT).unlink()
        folder.rename(self._done(collection, name))

    def delete(self, collection: str, name: str) -> None:
        """Delete a model. Raises UnknownTraining."""
        self.record(collection, name)
        gone = self._unfinished(collection, name)
        shutil.rmtree(gone, ignore_errors=True)
        self._done(collection, name).rename(gone)  # at once, so that none is ever half there
        shutil.rmtree(gone)

    def _unfinished(self, collection: str, name: str) -> Path:
        return self._root / collection / f".{name}"

    def _done(self, collection: str, name: str) -> Path:
        return self._root / collection / name

    def _records(self, collection: str) -> list[dict[str, Any]]:
        files = sorted(self._root.glob(f"{collection}/[!.]*/{_RECORD}"))
        return [json.loads(file.read_text()) for file in files]
