"""What is said about the clusters of a run: names, drift, and what became of them in another run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lookalike_service.schemas.base import Wire

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Drift(Wire):
    """How well the images that were labelled since the clustering was made fit into it."""

    images: int = Field(description="Images labelled since, on indexing.")
    low: int = Field(description="Those of them labelled with low confidence, noise included.")
    share: float | None = Field(description="`low` of `images`; null without any.")
    threshold: float = Field(description="A confidence up to this is low.")
    expected: float = Field(description="The share to expect of images like those clustered.")
    recluster: bool = Field(
        description="Whether the share is surely (95 %) more than twice what is to be expected, by at "
        "least 30 images: then cluster anew."
    )


class ClusterPatch(Wire):
    """What to say of a cluster; null takes it away, what is left out stays."""

    name: Title | None = None
    description: Text | None = None


class ClusteringPatch(Wire):
    """What to say of a clustering; null takes it away, what is left out stays."""

    description: Text | None = None
    clusters: dict[int, ClusterPatch] = Field(
        default_factory=dict,
        description="By label.",
        examples=[{"0": {"name": "cats", "description": "Mostly asleep."}}],
    )


class NamingRequest(Wire):
    """By which words to name the clusters."""

    words: list[Word] | None = Field(
        None,
        min_length=2,
        max_length=2000,
        description="Words, or short phrases, to choose from; by default some 200 common nouns.",
    )
    template: Annotated[str, StringConstraints(max_length=200)] = Field(
        "a photo of {}", pattern=r"\{\}", description="The sentence each word is put into, at {}."
    )
    keep: bool = Field(True, description="Leave clusters that have a name already as they are.")


class Suggestion(Wire):
    """A word for a cluster."""

    word: str
    score: float = Field(
        description="By how much its cosine with the cluster's centre is above its mean with all."
    )


class NamedCluster(Wire):
    """A cluster and the words that suit it best."""

    label: int
    name: str = Field(description="The name it has now.")
    suggestions: list[Suggestion] = Field(description="The best words, best first.")


class Naming(Wire):
    """How the clusters were named."""

    model: str
    clusters: list[NamedCluster]


class RunCluster(Wire):
    """A cluster as one of two runs has it."""

    label: int = Field(description="-1 is noise.")
    name: str | None
    size: int = Field(description="Images in it that are in both runs.")


class LineageRun(Wire):
    """One of two runs that are compared."""

    name: str
    created_at: str
    points: int
    clusters: list[RunCluster] = Field(description="In the order of the table's rows or columns.")


class Flow(Wire):
    """Images that are in one cluster of the first run and in one of the second: a band of a flow diagram."""

    label: int
    later: int
    images: int
    share: float = Field(description="Of the first cluster's images.")
    later_share: float = Field(description="Of the second's.")


class Fate(Wire):
    """What became of a cluster."""

    label: int
    event: Literal["kept", "moved", "merged", "split", "dissolved", "absent"] = Field(
        description="`split`: several later clusters have a quarter of it or more each. Else, where one has "
        "more than half of it: `merged` if it has more than half of another as well, `kept` if they have "
        "0.9 of their union in common, `moved` if less. `dissolved`: none of these. `absent`: none of its "
        "images are in the later run."
    )
    into: list[int] = Field(description="The later clusters meant, the one with most of it first.")


class Matched(Wire):
    """A cluster and the later one that is its like."""

    label: int
    later: int
    jaccard: float = Field(description="Images in both, of those in either.")


class LineageOut(Wire):
    """What became of the clusters of one run in another, by the images that are in both."""

    run: LineageRun
    later: LineageRun
    points: int = Field(description="Images in both runs.")
    only: int = Field(description="Images in the first run alone.")
    only_later: int = Field(description="Images in the second run alone.")
    overlap: list[list[int]] = Field(description="Images by cluster of the first and the second.")
    flows: list[Flow] = Field(description="The same without zeros, the largest first.")
    fates: list[Fate]
    new: list[int] = Field(description="Later clusters that no cluster came to.")
    matching: list[Matched] = Field(description="The best one-to-one matching, noise left out.")
    figures: dict[str, float] = Field(
        description="`adjusted_rand` and `normalized_mutual_information` of the two."
    )
