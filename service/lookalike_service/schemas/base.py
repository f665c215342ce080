"""What all wire types share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
ImageId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
FilterJson = dict[str, Any]


class Wire(BaseModel):
    """Base of all wire types: unknown fields are errors, not noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)
