"""Names for clusters in words, by an encoder that embeds text into the space of the images."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.schemas.cluster_versions import (
    ClusteringPatch,
    ClusterPatch,
    NamedCluster,
    Naming,
    NamingRequest,
    Suggestion,
)
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import cluster_notes
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.nouns import NOUNS
from lookalike_service.workflows.targets import find_clusters

_AT_ONCE = 32
_SHOWN = 3


async def name_clusters(
    store: Store,
    embedder: Embedder,
    encoder: Encoder,
    collection: str,
    name: str,
    *,
    request: NamingRequest,
) -> Naming:
    """Give each cluster the word that suits it best, compared with the other clusters.

    Raises UnsupportedText, naming encoders that can, if the collection's embeds no text, UnknownClustering,
    UnknownCollection, SpaceMismatch if the collection was migrated since, Overloaded.
    """
    found = await asyncio.to_thread(find_clusters, store, collection, name)
    words = list(dict.fromkeys(request.words or NOUNS))
    sentences = [request.template.replace("{}", word) for word in words]
    vectors = np.concatenate(
        [
            await embedder.embed_texts(encoder, sentences[at : at + _AT_ONCE])
            for at in range(0, len(sentences), _AT_ONCE)
        ]
    )
    clusters = found.run.clusters
    weights = np.array([cluster.size for cluster in clusters], dtype=np.float64)
    scores = suitability(found.centroids @ vectors.T, weights)
    chosen = {
        cluster.label: words[word]
        for cluster, word in zip(clusters, choose_words(scores), strict=True)
        if not (request.keep and cluster.name)
    }
    patch = ClusteringPatch(clusters={label: ClusterPatch(name=w) for label, w in chosen.items()})
    now = await asyncio.to_thread(cluster_notes.annotate, store, collection, found.run, patch)
    return Naming(
        model=encoder.info.model,
        clusters=[
            NamedCluster(
                label=cluster.label,
                name=cluster.name or chosen[cluster.label],
                suggestions=_suggestions(words, scores[cluster.label]),
            )
            for cluster in now.clusters
        ],
    )


def suitability(cosines: NDArray[np.floating], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much better each word suits a cluster than it does all images: (clusters, words).

    `cosines` (clusters, words) of centres and words; `sizes` (clusters,). What all clusters have in common
    (say, that they are photos) thus names none of them. A lone cluster is compared with the mean word.
    """
    if len(cosines) < 2:
        return np.asarray(cosines - cosines.mean(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(cosines - np.average(cosines, axis=0, weights=sizes), dtype=np.float64)


def choose_words(scores: NDArray[np.float64]) -> list[int]:
    """A word for each cluster, no word twice if there are enough, of the highest sum of scores."""
    clusters, words = scores.shape
    if clusters > words:
        best: list[int] = scores.argmax(axis=1).tolist()
        return best
    _, columns = linear_sum_assignment(scores, maximize=True)
    chosen: list[int] = columns.tolist()
    return chosen


def _suggestions(words: list[str], scores: NDArray[np.float64]) -> list[Suggestion]:
    order = np.argsort(-scores, kind="stable")[:_SHOWN]
    return [Suggestion(word=words[i], score=float(scores[i])) for i in order]
