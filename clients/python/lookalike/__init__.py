"""Lookalike's client: embeddings, similar images, clusters and maps from a Lookalike service.

from lookalike import Lookalike

with Lookalike() as client:
    photos = client.collection("photos")
    photos.index("holiday/")
    for hit in photos.search("query.jpg", limit=5):
        print(f"{hit.score:.3f}", hit.source)
"""

from lookalike import errors
from lookalike.aio import AsyncCollection, AsyncJob, AsyncLookalike
from lookalike.client import Collection, Job, Lookalike
from lookalike.errors import LookalikeError
from lookalike.explaining import TargetOptions
from lookalike.images import ImageInput
from lookalike.results import (
    Cluster,
    ClusterCard,
    Clustering,
    CollectionInfo,
    Embeddings,
    EmbedItem,
    Exemplar,
    Explanation,
    Faithfulness,
    FieldType,
    Hit,
    HitExplanation,
    ImagePage,
    IndexedImage,
    IndexItem,
    IndexResult,
    Info,
    ItemError,
    JobState,
    JobStatus,
    Map,
    Model,
    Placement,
    Placements,
    Progress,
    Projection,
    ProjectionPoints,
    Readiness,
    Region,
    SearchResult,
    Training,
    TrainingEpoch,
    UnusedImage,
)

__all__ = [
    "AsyncCollection",
    "AsyncJob",
    "AsyncLookalike",
    "Cluster",
    "ClusterCard",
    "Clustering",
    "Collection",
    "CollectionInfo",
    "EmbedItem",
    "Embeddings",
    "Exemplar",
    "Explanation",
    "Faithfulness",
    "FieldType",
    "Hit",
    "HitExplanation",
    "ImageInput",
    "ImagePage",
    "IndexItem",
    "IndexResult",
    "IndexedImage",
    "Info",
    "ItemError",
    "Job",
    "JobState",
    "JobStatus",
    "Lookalike",
    "LookalikeError",
    "Map",
    "Model",
    "Placement",
    "Placements",
    "Progress",
    "Projection",
    "ProjectionPoints",
    "Readiness",
    "Region",
    "SearchResult",
    "TargetOptions",
    "Training",
    "TrainingEpoch",
    "UnusedImage",
    "errors",
]
