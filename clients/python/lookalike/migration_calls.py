"""Calls that move a collection to another encoder, described once for both clients."""

from __future__ import annotations

from lookalike import results
from lookalike.call import Call, nothing, record
from lookalike.fields import collection_path, present


def migrate(
    collection: str, model: str, *, sample: int | None = None, seed: int = 0
) -> Call[results.JobStatus]:
    """Start embedding the collection anew with `model`, or go on with it; it answers as before meanwhile.

    `sample` is how many images the two encoders are compared by. See `migration` for what comes of it, and
    `cut_over` for the last step. Raises UnknownModel, MigrationExists, InvalidField if it is of that
    encoder already, UnknownCollection.
    """
    return Call(
        "POST",
        collection_path(collection, "migration"),
        record(results.JobStatus),
        json={"model": model, "seed": seed} | present(sample=sample),
        repeat="unless_received",
    )


def migration(collection: str) -> Call[results.Migration]:
    """Where the migration stands, with its report. Raises UnknownMigration, UnknownCollection."""
    return Call("GET", collection_path(collection, "migration"), record(results.Migration))


def cut_over(collection: str, *, allow_missing: bool = False) -> Call[results.Migration]:
    """Let the new encoder answer from now on; `roll_back` undoes it.

    Raises MigrationNotReady while it is filled, or where images have no vector by the new encoder and
    `allow_missing` does not give them up; UnknownMigration.
    """
    return Call(
        "POST",
        collection_path(collection, "migration", "cutover"),
        record(results.Migration),
        json={"allow_missing": allow_missing},
    )


def roll_back(collection: str) -> Call[results.Migration]:
    """Let the former encoder answer again. Raises MigrationNotReady once finished, UnknownMigration."""
    path = collection_path(collection, "migration", "rollback")
    return Call("POST", path, record(results.Migration))


def finish_migration(collection: str) -> Call[results.Migration]:
    """Drop the former vectors; there is no way back. Raises MigrationNotReady, UnknownMigration."""
    path = collection_path(collection, "migration", "finish")
    return Call("POST", path, record(results.Migration))


def delete_migration(collection: str) -> Call[None]:
    """Give a migration up: drop the new vectors. Raises MigrationNotReady once cut over, UnknownMigration."""
    path = collection_path(collection, "migration")
    return Call("DELETE", path, nothing, repeat="unless_received")
