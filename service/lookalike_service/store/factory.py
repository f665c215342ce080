"""Which store the settings ask for."""

from __future__ import annotations

from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Store


def open_store(settings: Settings) -> Store:
    """The store on `qdrant_url` if set, else the embedded one in `data`.

    Raises StoreLocked if another process has the folder. A server that is away is no error yet.
    """
    if settings.qdrant_url is None:
        from lookalike_service.store.embedded import EmbeddedStore  # noqa: PLC0415 (one engine)

        return EmbeddedStore(settings.data)
    from lookalike_service.store.server import ServerStore, connect  # noqa: PLC0415 (one engine)

    key = settings.qdrant_api_key
    return ServerStore(connect(settings.qdrant_url, key.get_secret_value() if key else None))
