"""Which store the settings ask for."""

from __future__ import annotations

from lookalike_service.errors import InvalidField
from lookalike_service.settings import Settings
from lookalike_service.store.options import EmbeddedOptions, ServerOptions
from lookalike_service.store.point_store import PointStore


def open_store(settings: Settings) -> PointStore:
    """The store on `qdrant_url` if set, else the embedded one in `data`.

    Raises StoreLocked if another process has the folder, InvalidField for a setting that this kind
    of store cannot meet. A server that is away is no error yet.
    """
    if settings.qdrant_url is None:
        from lookalike_service.store.embedded import EmbeddedStore  # noqa: PLC0415 (one engine)

        return EmbeddedStore(settings.data, embedded_options(settings))
    from lookalike_service.store.server import ServerStore, connect  # noqa: PLC0415 (one engine)

    key = settings.qdrant_api_key
    client = connect(settings.qdrant_url, key.get_secret_value() if key else None)
    return ServerStore(client, server_options(settings))


def embedded_options(settings: Settings) -> EmbeddedOptions:
    """Raises InvalidField for what only a server can do."""
    for name in ("shards", "replicas", "write_consistency"):
        if (value := getattr(settings, name)) != 1:
            raise InvalidField(
                f"LOOKALIKE_{name.upper()}={value}: the embedded store is one process with one copy "
                "of its points; set LOOKALIKE_QDRANT_URL, or leave it at 1"
            )
    return EmbeddedOptions(
        durable=settings.ack == "durable",
        quantization=settings.quantization,
        vectors_on_disk=settings.vectors_on_disk,
    )


def server_options(settings: Settings) -> ServerOptions:
    """Raises InvalidField for what only the embedded store can do."""
    if settings.ack == "durable":
        raise InvalidField(
            "LOOKALIKE_ACK=durable: a Qdrant server decides itself when it writes to its disk; "
            "set LOOKALIKE_REPLICAS and LOOKALIKE_WRITE_CONSISTENCY, or leave it at 'written'"
        )
    if settings.write_consistency > settings.replicas:
        raise InvalidField(
            f"LOOKALIKE_WRITE_CONSISTENCY={settings.write_consistency} is more than "
            f"LOOKALIKE_REPLICAS={settings.replicas}: no write would ever count"
        )
    return ServerOptions(
        quantization=settings.quantization,
        vectors_on_disk=settings.vectors_on_disk,
        shards=settings.shards,
        replicas=settings.replicas,
        write_consistency=settings.write_consistency,
    )
