"""What a map can be asked to explain: one row each, and how a row becomes an objective."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import (
    InvalidField,
    InvalidVector,
    MissingPart,
    UnknownCluster,
    UnsupportedTarget,
    UnsupportedText,
    WrongDimension,
)
from lookalike_service.explain.network import Differentiable, no_network
from lookalike_service.explain.objectives import Along, Logit, Norm, Objective, Score
from lookalike_service.schemas.clusterings import ClusteringOut
from lookalike_service.schemas.embedding import TargetOptions
from lookalike_service.store.protocol import Store, pinned
from lookalike_service.workflows import clustering, comparison, projection, runs
from lookalike_service.workflows.seen import Seen

NO_REFERENCE = (
    "Target 'similarity' compares with a second image: send it as part 'reference', name an indexed one by "
    "'collection' and 'id', or send part 'vector'."
)
_NEIGHBOURS = 10
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """What one image's map explains.

    `value`: the objective's, on this image. `judged`: the objective that a faithfulness score watches.
    `about`: what the target came to. `caption`: the same, for a picture.
    """

    objective: Objective
    judged: Objective
    value: float
    caption: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of an image; `reference` is the vector that `similarity` compares with, (dim,)."""

    encoder: Encoder
    store: Store
    options: TargetOptions
    reference: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target: what it means, the options it needs and takes, and its objective for one image."""

    meaning: str
    aim: Callable[[Question, Seen], Awaitable[Aim]]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_ALWAYS = ("method", "layer")


def check_options(target: str, encoder: Encoder, options: TargetOptions) -> None:
    """Refuse what cannot be served before any work.

    Raises UnsupportedTarget naming what the encoder can serve, MissingPart and InvalidField naming options.
    """
    if not (encoder.info.closed_form or isinstance(encoder, Differentiable)):
        raise no_network(encoder.info.model)
    servable = _servable(encoder)
    if target not in servable:
        raise UnsupportedTarget(
            f"'{encoder.info.model}' cannot explain '{target}': {_WHY_NOT[target]}. It can explain "
            f"{', '.join(servable)}."
        )
    row = TARGETS[target]
    given = options.model_dump(by_alias=True, exclude_none=True).keys() - set(_ALWAYS)
    if missing := [name for name in row.needs if name not in given]:
        raise MissingPart(f"Target '{target}' needs {' and '.join(map(repr, missing))}.")
    if extra := sorted(given - {*row.needs, *row.takes}):
        allowed = ", ".join((*row.needs, *row.takes, *_ALWAYS))
        raise InvalidField(f"Target '{target}' takes no '{extra[0]}'; it takes {allowed}.")


def _servable(encoder: Encoder) -> list[str]:
    able = [name for name in TARGETS if name not in _WHY_NOT]
    if isinstance(encoder, Differentiable) and encoder.network.classifier is not None:
        able.append("class")
    return [*able, "text"] if encoder.info.text else able


async def _similarity(question: Question, seen: Seen) -> Aim:
    """The cosine with another embedding. Raises MissingPart, WrongDimension, InvalidVector."""
    other = question.reference
    if other is None:
        raise MissingPart(NO_REFERENCE)
    if other.shape != seen.encoded.embedding.shape:
        dim = len(seen.encoded.embedding)
        raise WrongDimension(f"The vector has {len(other)} dimensions; the embedding has {dim}.")
    norm = np.linalg.norm(other)
    if not np.isfinite(norm) or norm == 0:
        raise InvalidVector("The vector holds NaN, infinity or only zeros.")
    return _along(seen, other / norm, "like the other, cosine {:.3f}")


async def _self(_: Question, seen: Seen) -> Aim:
    value = float(seen.encoded.norm)
    # Blurring may well raise the norm; what must not be lost is what the embedding says.
    judged = Along(seen.encoded.embedding)
    return Aim(Norm(), judged, value, "where its embedding comes from")


async def _text(question: Question, seen: Seen) -> Aim:
    text = str(question.options.text)
    try:
        vectors = await asyncio.to_thread(question.encoder.encode_text, [text])
    except UnsupportedText as error:
        raise UnsupportedTarget(error.detail) from error
    return _along(seen, vectors[0], f"“{text}”, cosine {{:.3f}}", text=text)


async def _class(question: Question, seen: Seen) -> Aim:
    encoder = question.encoder
    if not isinstance(encoder, Differentiable):
        raise no_network(encoder.info.model)
    linear = encoder.class_weights
    if linear is None:
        kept = seen.encoded.features
        batch = seen.pixels[None], None if kept is None else kept[None]
        logits = (await asyncio.to_thread(encoder.class_logits, *batch))[0]
    else:
        logits = linear[0] @ (seen.encoded.embedding * seen.encoded.norm) + linear[1]
    index = _class_index(question.options.class_, len(logits), encoder.classes)
    if index is None:
        index = int(np.argmax(logits))
    name = encoder.classes[index] if encoder.classes else None
    scores = np.exp(logits - logits.max())
    about = {"class": index, "name": name, "probability": float(scores[index] / scores.sum())}
    caption = f"class {name or index}, logit {logits[index]:.2f}"
    objective = Logit(index) if linear is None else Score(linear[0][index], float(linear[1][index]))
    return Aim(objective, objective, float(logits[index]), caption, about)


def _class_index(wanted: str | None, count: int, names: tuple[str, ...]) -> int | None:
    if wanted is None:
        return None
    if wanted in names:
        return names.index(wanted)
    # Python reads no number of thousands of digits.
    digits = wanted.isascii() and wanted.isdecimal() and len(wanted) <= _MOST_DIGITS
    if digits and int(wanted) < count:
        return int(wanted)
    known = f", or one of {', '.join(names[:10])}…" if names else "; its names are not known here"
    raise InvalidField(
        f"There is no class '{wanted:.80}': give a number from 0 to {count - 1}{known}."
    )


async def _component(question: Question, seen: Seen) -> Aim:
    options = question.options
    if (options.projection is None) == (options.clustering is None):
        raise MissingPart(
            "Target 'component' takes its components from a 'projection' or from a 'clustering': name one."
        )
    mean, components = await asyncio.to_thread(_components, question)
    number = int(options.component or 0)
    if not 1 <= abs(number) <= len(components):
        raise InvalidField(
            f"There is no component {number}: components 1 to {len(components)}, negative for the "
            "negative side."
        )
    axis = np.sign(number) * components[abs(number) - 1].astype(np.float64)
    caption = f"component {number}, coordinate {{:.3f}}"
    return _along(seen, axis, caption, offset=float(axis @ mean), component=number)


def _components(question: Question) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (dim,) and components (k, dim) of a PCA projection, or of a clustering's reduction."""
    options, store, name = question.options, question.store, str(question.options.collection)
    if options.projection is not None:
        space = projection.get(store, name, options.projection).space
        kind, run = projection.KIND, options.projection
    else:
        space = clustering.get(store, name, str(options.clustering)).space
        kind, run = clustering.KIND, str(options.clustering)
    runs.in_space(store, name, f"{kind} '{run}'", space)
    arrays = store.arrays(kind, runs.key(name, run)) or {}
    if "components" not in arrays:
        raise InvalidField(
            f"The {kind} '{run}' has no components: name a projection by 'pca', or a clustering with a "
            "reduction such as 'pca:50'."
        )
    # A projection of fewer points than axes is filled up with zeros, which are no components.
    kept = np.abs(arrays["components"]).sum(axis=1) > 0
    return arrays["mean"], arrays["components"][kept]


async def _cluster(question: Question, seen: Seen) -> Aim:
    options = question.options
    found = await asyncio.to_thread(
        find_clusters, question.store, str(options.collection), str(options.clustering)
    )
    label = int(options.cluster if options.cluster is not None else -1)
    found.check(label)
    against = found.other_than(label, options.against)
    direction = found.towards(label, against)
    caption = f"cluster {label}" if against is None else f"cluster {label} rather than {against}"
    return _along(seen, direction, caption + ", {:.3f}", cluster=label, against=against)


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """A clustering and the unit centroids of its clusters, float32 (clusters, dim)."""

    run: ClusteringOut
    centroids: NDArray[np.float32]

    def check(self, label: int) -> None:
        """Raise UnknownCluster if there is no such label."""
        if not 0 <= label < len(self.centroids):
            known = (
                f"labels 0 to {len(self.centroids) - 1}" if len(self.centroids) else "no clusters"
            )
            noise = " Label -1 is noise, which is no cluster." if label == -1 else ""
            raise UnknownCluster(
                f"Clustering '{self.run.name}' has no cluster {label}: it has {known}.{noise}"
            )

    def nearest(self, label: int) -> int | None:
        """The cluster whose centroid is nearest by cosine; None if there is no other."""
        if len(self.centroids) < 2:
            return None
        likeness = self.centroids @ self.centroids[label]
        likeness[label] = -np.inf
        return int(np.argmax(likeness))

    def other_than(self, label: int, against: int | str | None) -> int | None:
        """The cluster that `against` asks for. Raises UnknownCluster, InvalidField for the same one."""
        if against in (None, "nearest"):
            return self.nearest(label)
        if against == "none":
            return None
        other = int(against or 0)
        self.check(other)
        if other == label:
            raise InvalidField(f"Cluster {label} cannot be told apart from itself.")
        return other

    def towards(self, label: int, against: int | None) -> NDArray[np.float64]:
        """The direction, (dim,), in which images are of one cluster and not of the other."""
        wanted: NDArray[np.float64] = self.centroids[label].astype(np.float64)
        if against is not None:
            wanted -= self.centroids[against]
        return wanted


def find_clusters(store: Store, collection: str, name: str) -> Clusters:
    """A clustering with its centroids.

    Raises UnknownCollection, UnknownClustering, SpaceMismatch if the collection was migrated since.
    """
    run = clustering.get(store, collection, name)
    dim = runs.in_space(store, collection, f"clustering '{name}'", run.space).space.dim
    arrays = store.arrays(clustering.KIND, runs.key(collection, name)) or {}
    return Clusters(run, arrays.get("centroids", np.zeros((0, dim), np.float32)))


async def _neighbours(question: Question, seen: Seen) -> Aim:
    options = question.options
    count = options.neighbours or _NEIGHBOURS
    hits = await asyncio.to_thread(
        question.store.query,
        pinned(str(options.collection), question.encoder.info.space.id),
        seen.encoded.embedding,
        limit=count + 1,
        vectors=True,
    )
    others = [hit for hit in hits if hit.payload.get("sha256") != seen.sha256][:count]
    vectors = [hit.vector for hit in others if hit.vector is not None]
    if not vectors:
        raise InvalidField(f"Collection '{options.collection}' holds no other image to be like.")
    mean = np.mean(vectors, axis=0)
    ids = [hit.payload["key"] for hit in others]
    caption = f"its {len(ids)} neighbours, cosine {{:.3f}}"
    return _along(seen, mean / max(np.linalg.norm(mean), 1e-12), caption, neighbours=ids)


async def _comparison(question: Question, seen: Seen) -> Aim:
    options, store = question.options, question.store
    collection, name = str(options.collection), str(options.comparison)
    run, arrays = await asyncio.to_thread(comparison.load, store, collection, name)
    await asyncio.to_thread(runs.in_space, store, collection, f"comparison '{name}'", run.space)
    direction = arrays["direction"]
    if options.side == "first":
        subset, other, direction = run.first, run.second, -direction
    else:
        subset, other = run.second, run.first
    caption = f"{subset.title} rather than {other.title}, {{:.3f}}"
    return _along(seen, direction, caption, comparison=name, side=options.side or "second")


def _along(
    seen: Seen,
    direction: NDArray[np.floating],
    caption: str,
    *,
    offset: float = 0.0,
    **about: Any,
) -> Aim:
    objective = Along(direction, offset)
    value = objective.value(seen.encoded.embedding.astype(np.float64))
    return Aim(objective, objective, value, caption.format(value), about)


TARGETS: Mapping[str, TargetRow] = {
    "self": TargetRow("What the embedding is made of: its norm before normalisation.", _self),
    "similarity": TargetRow(
        "The cosine with another image, an indexed one or a vector.",
        _similarity,
        takes=("collection", "id"),
    ),
    "class": TargetRow("The network's score of a class.", _class, takes=("class",)),
    "text": TargetRow("The cosine with a text.", _text, needs=("text",)),
    "component": TargetRow(
        "The coordinate on a principal component of a collection.",
        _component,
        needs=("collection", "component"),
        takes=("projection", "clustering"),
    ),
    "cluster": TargetRow(
        "The cosine with a cluster's centroid, less that with another's.",
        _cluster,
        needs=("collection", "clustering", "cluster"),
        takes=("against",),
    ),
    "neighbours": TargetRow(
        "The cosine with the mean of the most similar images of a collection.",
        _neighbours,
        needs=("collection",),
        takes=("neighbours",),
    ),
    "comparison": TargetRow(
        "The coordinate on the direction from one set of a comparison to the other.",
        _comparison,
        needs=("collection", "comparison"),
        takes=("side",),
    ),
}

_WHY_NOT = {
    "class": "its network has no classifier on the features it embeds",
    "text": "it embeds no text",
}
