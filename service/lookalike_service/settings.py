"""Settings: the only reader of the environment (`LOOKALIKE_*`)."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

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

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.\[\]:-]+$")]


def _read_list(value: object) -> object:
    """The list that a variable's text is."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if isinstance(found, list):
        return found
    example = json.dumps([part.strip(" []\"'") for part in value.split(",")])
    raise PydanticCustomError(
        "json_list", "must be a JSON list, such as '{example}'", {"example": example}
    )


_T = TypeVar("_T")
# Read by ourselves: where the text is no JSON, pydantic-settings' own error does not name the variable.
# Without JSON a list would be ambiguous: paths of encoders may have commas.
JsonList = Annotated[tuple[_T, ...], NoDecode, BeforeValidator(_read_list)]


def _cache_folder() -> Path:
    """The user's cache folder, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookalike"


def _otlp_endpoint_given() -> bool:
    """Whether OpenTelemetry's own variables name a collector."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name) for name in names)


class Settings(BaseSettings):
    """What one service process runs with; every field is a `LOOKALIKE_*` variable."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3000, ge=0, le=65535, description="Port to listen on.")
    api_keys_file: Path | None = Field(
        None,
        description="File of the API keys that callers must have, read again when it changes; "
        "`lookalike keys` writes it.",
    )
    api_keys: str | None = Field(
        None, description="The same as JSON, where there is no file to give."
    )
    open: bool = Field(
        False,
        description="Answer others than this machine without keys: something in front authenticates.",
    )
    hosts: JsonList[str] = Field(
        (),
        description="Host names that requests may be for besides this machine's own, as a JSON list; by "
        "default any, but without keys none.",
    )
    cors_origins: JsonList[Origin] = Field(
        (),
        description="Origins whose pages may use the service, as a JSON list of scheme://host[:port].",
    )
    url_hosts: JsonList[str] = Field(
        (),
        description="Hosts that pictures may be fetched from, as a JSON list of names and patterns such as "
        "`*.example.com`; by default none.",
    )
    url_seconds: float = Field(10, gt=0, description="Time for fetching one picture.")
    rate_requests: float | None = Field(
        None, gt=0, description="Requests per second for each key, or address without keys."
    )
    rate_images: float | None = Field(
        None, gt=0, description="Images and texts that they send per second; beyond: 429."
    )
    rate_burst_seconds: float = Field(
        10, ge=0, description="So many seconds' worth of both may come at once after a pause."
    )
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
    models: JsonList[str] = Field(
        (), description="Further encoders that requests may name, as a JSON list of specs."
    )
    preload: JsonList[str] = Field(
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
    plan: Literal["auto", PlanName] = Field(
        "auto", description="How networks run: `auto` measures at first start; `float32` is plain."
    )

    max_body_bytes: int = Field(256 * 2**20, gt=0, description="Largest request body.")
    max_connections: int = Field(
        1000, gt=0, description="Connections open at the same time; beyond: 429."
    )
    drain_seconds: float = Field(
        0, ge=0, description="How long to go on accepting after SIGTERM, while /readyz says 503."
    )
    upload_seconds: float = Field(
        30,
        gt=0,
        description="Time for a request's headers, and for its body besides 1 s per 16 kB.",
    )
    max_image_bytes: int = Field(32 * 2**20, gt=0, description="Largest image file.")
    max_image_pixels: int = Field(
        100_000_000, gt=0, description="Most pixels an image may declare."
    )
    max_images: int = Field(256, gt=0, description="Most images in one request.")
    max_batch_size: int = Field(32, gt=0, description="Most images in one pass of the model.")
    max_queue: int = Field(
        1024, gt=0, description="Images accepted and not yet embedded; beyond: 429."
    )
    max_queue_pixels: int = Field(
        4_000_000_000, gt=0, description="Pixels that they may declare together; beyond: 429."
    )
    max_queue_seconds: float = Field(
        2.0, gt=0, description="What would wait longer for its turn is refused at once: 429."
    )
    max_bulk_seconds: float = Field(
        15.0, gt=0, description="The same for indexing, jobs and requests of many images."
    )
    max_decoding_pixels: int = Field(
        200_000_000, gt=0, description="Pixels decoded at the same time; one image may have more."
    )
    max_bodies_bytes: int = Field(
        2**30, gt=0, description="Request bodies held in memory at the same time; beyond: 429."
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
    traces: bool = Field(
        default_factory=_otlp_endpoint_given,
        description="Send traces by OTLP; by default where OTEL_EXPORTER_OTLP_ENDPOINT is set.",
    )

    @property
    def secrets(self) -> list[str]:
        """What no log line may show."""
        values = [value for _, value in self if isinstance(value, SecretStr)]
        password = urlsplit(self.qdrant_url or "").password
        return [value.get_secret_value() for value in values] + ([password] if password else [])

    @property
    def models_folder(self) -> Path:
        """Folder of models trained here."""
        return self.models_dir or self.data / "models"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
