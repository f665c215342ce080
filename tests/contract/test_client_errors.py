"""The client's errors and records are the service's."""

from __future__ import annotations

from dataclasses import fields

import pytest
from pydantic import BaseModel

from lookalike import errors as client
from lookalike import results
from lookalike_service import errors as service
from lookalike_service.schemas import (
    about,
    calibration,
    clusterings,
    collections,
    comparisons,
    duplicates,
    embedding,
    jobs,
    migrations,
    problems,
    projections,
    search,
    trainings,
)


def described(cls: type[Exception]) -> tuple[str, object, object, tuple[str, ...]]:
    return (
        cls.__name__,
        getattr(cls, "code", None),
        getattr(cls, "status", None),
        tuple(base.__name__ for base in cls.__bases__),
    )


def test_every_service_error_has_its_class_with_the_same_code_status_and_parent() -> None:
    ours = {described(cls) for cls in client.service_errors()}
    theirs = {described(cls) for cls in service.all_errors()}
    assert ours == theirs


def test_no_two_errors_share_a_code() -> None:
    own = [cls.code for cls in client.ClientError.__subclasses__()] + [client.ClientError.code]
    codes = [cls.code for cls in client.service_errors()] + own
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("cls", list(service.all_errors()), ids=lambda cls: cls.code)
def test_a_code_on_the_wire_becomes_its_class(cls: type[service.LookalikeError]) -> None:
    error = client.error_for(cls.code, "detail")
    assert type(error).__name__ == cls.__name__
    assert (error.code, error.status, error.detail) == (cls.code, cls.status, "detail")


MIRRORED: list[tuple[type, type[BaseModel]]] = [
    (results.ItemError, problems.ItemError),
    (results.Access, about.Access),
    (results.Info, about.Info),
    (results.Model, about.Model),
    (results.Readiness, about.Readiness),
    (results.Region, embedding.Region),
    (results.Map, embedding.Map),
    (results.EmbedItem, embedding.EmbedItem),
    (results.Embeddings, embedding.EmbedResponse),
    (results.Explanation, embedding.ExplainResponse),
    (results.CollectionInfo, collections.CollectionOut),
    (results.IndexItem, collections.IndexItem),
    (results.IndexResult, collections.IndexResponse),
    (results.IndexedImage, collections.ImageOut),
    (results.ImagePage, collections.ImagePage),
    (results.Hit, search.Hit),
    (results.CalibrationState, calibration.CalibrationState),
    (results.SearchResult, search.SearchResponse),
    (results.SearchBatchItem, search.SearchBatchItem),
    (results.SearchBatch, search.SearchBatchResponse),
    (results.FacetValue, search.FacetValue),
    (results.Facets, search.Facets),
    (results.Calibration, calibration.CalibrationOut),
    (results.Progress, jobs.Progress),
    (results.JobStatus, jobs.Job),
    (results.Cluster, clusterings.ClusterOut),
    (results.Clustering, clusterings.ClusteringOut),
    (results.Projection, projections.ProjectionOut),
    (results.ProjectionPoints, projections.ProjectionPoints),
    (results.Placement, projections.TransformItem),
    (results.Placements, projections.TransformResponse),
    (results.Estimate, comparisons.Estimate),
    (results.Frechet, comparisons.FrechetOut),
    (results.Separability, comparisons.SeparabilityOut),
    (results.ComparisonFigures, comparisons.ComparisonFigures),
    (results.ClusterShare, comparisons.ClusterShareOut),
    (results.Subset, comparisons.SubsetOut),
    (results.Comparison, comparisons.ComparisonOut),
    (results.Counterpart, comparisons.Counterpart),
    (results.Counterparts, comparisons.Counterparts),
    (results.ComparedImage, comparisons.ComparedImage),
    (results.ComparedImages, comparisons.ComparedImages),
    (results.Duplicates, duplicates.DuplicatesOut),
    (results.Duplicate, duplicates.Duplicate),
    (results.DuplicateGroup, duplicates.DuplicateGroup),
    (results.DuplicateGroups, duplicates.DuplicateGroups),
    (results.LeakageBetween, duplicates.LeakageBetween),
    (results.LeakingPair, duplicates.LeakingPair),
    (results.Leakage, duplicates.LeakageOut),
    (results.DeletionPlan, duplicates.PlanOut),
    (results.TrainingEpoch, trainings.TrainingEpoch),
    (results.UnusedImage, trainings.UnusedImage),
    (results.Training, trainings.Training),
    (results.SpaceState, migrations.SpaceState),
    (results.ThumbnailAgreement, migrations.ThumbnailAgreement),
    (results.MigrationReport, migrations.MigrationReport),
    (results.Migration, migrations.Migration),
]


@pytest.mark.parametrize(("record", "schema"), MIRRORED, ids=lambda cls: cls.__name__)
def test_a_record_has_the_fields_of_its_wire_type(record: type, schema: type[BaseModel]) -> None:
    assert {f.name for f in fields(record)} == set(schema.model_fields)


@pytest.mark.parametrize(("record", "schema"), MIRRORED, ids=lambda cls: cls.__name__)
def test_a_field_that_the_service_may_leave_null_is_optional_in_the_record(
    record: type, schema: type[BaseModel]
) -> None:
    hints = {f.name: str(f.type) for f in fields(record)}
    for name, declared in schema.model_fields.items():
        if type(None) in getattr(declared.annotation, "__args__", ()):
            assert "None" in hints[name], f"{record.__name__}.{name}"
