"""The client's errors and records are the service's."""

from __future__ import annotations

from dataclasses import fields

import pytest
from pydantic import BaseModel

from lookalike import errors as client
from lookalike import results
from lookalike_service import errors as service
from lookalike_service import schemas


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
    (results.ItemError, schemas.ItemError),
    (results.Info, schemas.Info),
    (results.Model, schemas.Model),
    (results.Readiness, schemas.Readiness),
    (results.Region, schemas.Region),
    (results.Map, schemas.Map),
    (results.EmbedItem, schemas.EmbedItem),
    (results.Embeddings, schemas.EmbedResponse),
    (results.Explanation, schemas.ExplainResponse),
    (results.CollectionInfo, schemas.CollectionOut),
    (results.IndexItem, schemas.IndexItem),
    (results.IndexResult, schemas.IndexResponse),
    (results.IndexedImage, schemas.ImageOut),
    (results.ImagePage, schemas.ImagePage),
    (results.Hit, schemas.Hit),
    (results.CalibrationState, schemas.CalibrationState),
    (results.SearchResult, schemas.SearchResponse),
    (results.SearchBatchItem, schemas.SearchBatchItem),
    (results.SearchBatch, schemas.SearchBatchResponse),
    (results.FacetValue, schemas.FacetValue),
    (results.Facets, schemas.Facets),
    (results.Calibration, schemas.CalibrationOut),
    (results.Progress, schemas.Progress),
    (results.JobStatus, schemas.Job),
    (results.Cluster, schemas.ClusterOut),
    (results.Clustering, schemas.ClusteringOut),
    (results.Projection, schemas.ProjectionOut),
    (results.ProjectionPoints, schemas.ProjectionPoints),
    (results.Placement, schemas.TransformItem),
    (results.Placements, schemas.TransformResponse),
    (results.TrainingEpoch, schemas.TrainingEpoch),
    (results.UnusedImage, schemas.UnusedImage),
    (results.Training, schemas.Training),
    (results.SpaceState, schemas.SpaceState),
    (results.ThumbnailAgreement, schemas.ThumbnailAgreement),
    (results.MigrationReport, schemas.MigrationReport),
    (results.Migration, schemas.Migration),
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
