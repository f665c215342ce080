"""Settings: the only reader of the environment (`LOOKALIKE_*`)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What one service process runs with; every field is a `LOOKALIKE_*` variable."""

    model_config = SettingsConfigDict(env_prefix="LOOKALIKE_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3000, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(Path("lookalike-data"), description="Folder of the embedded store.")
    model: str = Field("timm:tf_efficientnet_lite0", description="Default encoder.")
    qdrant_url: str | None = Field(
        None, description="Use this Qdrant server instead of the embedded store."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="API key of the Qdrant server.")

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
        description="Threads a clustering or projection job may use.",
    )
    log_format: str = Field("text", pattern="^(text|json)$", description="`text` or `json`.")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
