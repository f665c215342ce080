"""What importing the client costs, and what it shows."""

from __future__ import annotations

import inspect
import subprocess
import sys

import lookalike
from lookalike import AsyncCollection, AsyncLookalike, Collection, Lookalike

PUBLIC = {
    Lookalike: "algorithms close collection collections create_collection delete_collection embed "
    "embed_texts explain info job jobs models ready send url",
    Collection: "add agreement assign calibrate calibration cluster cluster_card cluster_card_image "
    "clustering clustering_plot clusterings compare comparison comparison_maps "
    "comparison_page comparisons counterparts cut_over delete delete_clustering "
    "delete_comparison delete_duplicates delete_migration delete_projection "
    "delete_training deletion_list deletion_plan describe describe_clusters "
    "duplicate_groups duplicate_runs duplicates export facets find_duplicates "
    "finish_migration forget_duplicates image images index leakage lineage migrate "
    "migration name_clusters place project projection projection_arrow projection_image projections "
    "roll_back search search_batch thumbnail train_autoencoder train_head training "
    "training_image trainings update",
    lookalike.Job: "cancel id refresh wait",
}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


def test_importing_the_client_pulls_neither_arrays_nor_models_nor_httpx() -> None:
    loaded = loaded_by("import lookalike")
    assert not loaded & {"numpy", "torch", "PIL", "pydantic", "httpx", "rich", "lookalike_service"}


def test_using_the_client_pulls_httpx_alone() -> None:
    loaded = loaded_by("import lookalike; lookalike.Lookalike().close()")
    assert "httpx" in loaded
    assert not loaded & {"numpy", "torch", "PIL", "pydantic", "lookalike_service"}


def test_the_public_names_stay() -> None:
    for cls, names in PUBLIC.items():
        assert {name for name in vars(cls) if not name.startswith("_")} == set(names.split())


def test_the_async_client_has_the_same_methods_with_the_same_arguments() -> None:
    pairs = [
        (Lookalike, AsyncLookalike),
        (Collection, AsyncCollection),
        (lookalike.Job, lookalike.AsyncJob),
    ]
    for blocking, asynchronous in pairs:
        for name, method in vars(blocking).items():
            if name.startswith("_") or not callable(method) or name == "index":
                continue
            twin = getattr(asynchronous, name)
            assert inspect.signature(method).parameters == inspect.signature(twin).parameters, name
            assert inspect.iscoroutinefunction(twin) == (name not in {"collection", "images"}), name


def test_methods_show_their_arguments_and_say_what_they_do() -> None:
    shown = inspect.signature(Collection.search)
    assert list(shown.parameters)[:3] == ["self", "image", "id"]
    assert shown.return_annotation == "results.SearchResult"
    assert "collection" not in shown.parameters
    for cls in (Lookalike, Collection, lookalike.Job, AsyncLookalike, AsyncCollection):
        for name, method in vars(cls).items():
            if not name.startswith("_") and callable(method):
                assert method.__doc__, f"{cls.__name__}.{name}"
