"""Settings: the only reader of the environment (`LOOKALIKE_*`)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PlanName = Literal[
    "float32",
    "float32-folded",
    "bfloat16",
    "float16",
    "openvino-float32",
    "openvino-float16",
    "openvino-bfloat16",
    "float16-graphs",
    "bfloat16-compiled",
]
"""The ways to run a network; `encoders/plans/engines.py` says what each is."""


def _cache_folder() -> Path:
    """The user's cache folder, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookalike"


class Settings(BaseSettings):
    """What one service process runs with; every field is a `LOOKALIKE_*` variable."""

    model_config = SettingsConfigDict(env_prefix="LOOKALIKE_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3000, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(Path("lookalike-data"), description="Folder of the embedded store.")
    models_dir: Path | None = Field(
        None, description="Folder of models trained here; by default `models` in the data folder."
    )
    originals: Path | None = Field(
        None,
        description="Folder whose pictures training, migration and export may read in full; by default "
        "they read thumbnails.",
    )
    model: str = Field("timm:tf_efficientnet_lite0", description="Default encoder.")
    models: tuple[str, ...] = Field(
        (), description="Further encoders that requests may name, as a JSON list of specs."
    )
    preload: tuple[str, ...] = Field(
        (), description="Those of them to load at start instead of on first use, as a JSON list."
    )
    model_memory_bytes: int = Field(
        4 * 2**30,
        gt=0,
        description="Weights kept in memory; beyond, the longest unused are unloaded.",
    )
    model_idle_seconds: float = Field(
        900, gt=0, description="Encoders unused for so long are unloaded; the default one stays."
    )
    qdrant_url: str | None = Field(
        None, description="Use this Qdrant server instead of the embedded store."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="API key of the Qdrant server.")

    ack: Literal["written", "durable"] = Field(
        "written",
        description="What the embedded store acknowledges: `written` survives kill -9, `durable` "
        "a power loss too, and waits for the disk.",
    )
    quantization: Literal["none", "scalar", "binary"] = Field(
        "none", description="How the graph's vectors are compressed; hits are scored anew in full."
    )
    vectors_on_disk: bool = Field(
        False, description="Leave the full vectors to the disk instead of keeping them in memory."
    )
    shards: int = Field(1, gt=0, description="Shards of a new collection (Qdrant server).")
    replicas: int = Field(1, gt=0, description="Copies of each shard (Qdrant server).")
    write_consistency: int = Field(
        1, gt=0, description="Copies that must have a write before it counts (Qdrant server)."
    )

    cache: Path = Field(
        default_factory=_cache_folder, description="Folder of what can be computed again."
    )
    plan: Literal["auto"] | PlanName = Field(
        "auto", description="How networks run: `auto` measures at first start; `float32` is plain."
    )

    max_body_bytes: int = Field(256 * 2**20, gt=0, description="Largest request body.")
    max_image_bytes: int = Field(32 * 2**20, gt=0, description="Largest image file.")
    max_image_pixels: int = Field(
        100_000_000, gt=0, description="Most pixels an image may declare."
    )
    max_images: int = Field(256, gt=0, description="Most images in one request.")
    max_batch_size: int = Field(32, gt=0, description="Most images in one pass of the model.")
    max_queue: int = Field(
        1024, gt=0, description="Images accepted and not yet embedded; beyond: 429."
    )
    max_wait_ms: float = Field(5.0, ge=0, description="Longest a lone request waits for company.")
    decode_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, gt=0, description="Threads that decode images."
    )
    job_threads: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 1) // 2),
        gt=0,
        description="Threads a job may use.",
    )
    log_format: str = Field("text", pattern="^(text|json)$", description="`text` or `json`.")

    @property
    def models_folder(self) -> Path:
        """Folder of models trained here."""
        return self.models_dir or self.data / "models"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
