"""What people say of a clustering and its clusters: beside the run, which a job writes, and never in it."""

from __future__ import annotations

from typing import Any

from lookalike_service.errors import UnknownCluster
from lookalike_service.schemas.cluster_versions import ClusteringPatch
from lookalike_service.schemas.clusterings import ClusteringOut
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import runs

KIND = "clustering notes"


def annotated(store: Store, collection: str, run: ClusteringOut) -> ClusteringOut:
    """The run with what is said of it; nothing of what was said of an older run of its name."""
    notes = _notes(store, collection, run)
    named = notes["clusters"]
    clusters = [c.model_copy(update=named.get(str(c.label), {})) for c in run.clusters]
    return run.model_copy(update={"description": notes["description"], "clusters": clusters})


def annotate(
    store: Store, collection: str, run: ClusteringOut, patch: ClusteringPatch
) -> ClusteringOut:
    """Say it; the run as it reads then. Raises UnknownCluster, and then nothing is said."""
    for label in patch.clusters:
        check_label(run, label)
    notes = _notes(store, collection, run)
    notes |= patch.model_dump(include={"description"}, exclude_unset=True)
    for label, of_cluster in patch.clusters.items():
        said = notes["clusters"].get(str(label), {}) | of_cluster.model_dump(exclude_unset=True)
        notes["clusters"][str(label)] = said
    store.put_document(KIND, runs.key(collection, run.name), notes)
    return annotated(store, collection, run)


def check_label(run: ClusteringOut, label: int) -> None:
    """Raise UnknownCluster, saying which there are, unless the run has this cluster."""
    if not 0 <= label < len(run.clusters):
        there = f"0 to {len(run.clusters) - 1}" if run.clusters else "none"
        raise UnknownCluster(
            f"Clustering '{run.name}' has no cluster {label}; its clusters are: {there}."
        )


def _notes(store: Store, collection: str, run: ClusteringOut) -> dict[str, Any]:
    found = store.document(KIND, runs.key(collection, run.name))
    if found is None or found["run"] != run.run:
        return {"run": run.run, "description": None, "clusters": {}}
    return found


def forget(store: Store, collection: str, name: str) -> None:
    """Forget what was said of a clustering that is gone."""
    store.delete_document(KIND, runs.key(collection, name))


def forget_all(store: Store, collection: str) -> None:
    """Forget what was said of the clusterings of a collection that is gone."""
    for key, _ in runs.of_collection(store, KIND, collection):
        store.delete_document(KIND, key)
