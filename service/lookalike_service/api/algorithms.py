"""What a clustering can be made by."""

from __future__ import annotations

from lookalike_service.analysis.clustering.catalog import ALGORITHMS
from lookalike_service.analysis.clustering.catalog import Algorithm as Row
from lookalike_service.analysis.parameters import Parameter
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.schemas.algorithms import Algorithm, AlgorithmParameter, Algorithms

router = guarded_router(tags=["clusterings"])

_TYPES = {int: "integer", float: "number", str: "text"}


@router.get("/v1/algorithms", response_model=Algorithms, summary="The clustering algorithms")
@needs("read")
async def algorithms() -> Algorithms:
    """What each finds, and its parameters with their defaults, limits and meaning, as for a form."""
    return Algorithms(algorithms=[_out(row) for row in ALGORITHMS.values()])


def _out(row: Row) -> Algorithm:
    return Algorithm(
        name=row.name,
        meaning=row.meaning,
        parameters=[_parameter(one) for one in row.parameters],
        most_points=row.most_points,
    )


def _parameter(one: Parameter) -> AlgorithmParameter:
    return AlgorithmParameter.model_validate(
        {
            "name": one.name,
            "type": _TYPES[one.type],
            "default": one.default,
            "meaning": one.meaning,
            "minimum": one.minimum,
            "maximum": one.maximum,
            "choices": one.choices,
            "at_most_points": one.at_most_points,
        }
    )
