"""What a search asks for, made into vectors: images, their parts and texts are embedded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lookalike_service import images
from lookalike_service.api.context import Context
from lookalike_service.errors import LookalikeError, UnknownImage
from lookalike_service.schemas.embedding import Region, TargetOptions
from lookalike_service.schemas.search import SearchRequest
from lookalike_service.store.protocol import Collection, Hit, Record, Vector
from lookalike_service.workflows.embedding import Embedded
from lookalike_service.workflows.explained_hits import Query, read_thumbnails, recall_or_see
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.seen import Seen
from lookalike_service.workflows.sought import Sought, sought

MadeFrom = Literal["image", "thumbnail"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a search looks for; `explained` is the image it is of, where hits are explained by it."""

    sought: Sought
    made_from: MadeFrom | None = None
    explained: Query | None = None


async def ask(
    context: Context,
    found: Collection,
    request: SearchRequest,
    records: Mapping[str, Record],
    *,
    image: bytes | None = None,
    worded: Vector | None = None,
) -> Asked:
    """The query of a search. `records`: the indexed images that it names. `image`: one that is sent.

    `worded`: the embedding of its text, float32 (dim,), where that is at hand.

    Raises ImageError, InvalidField, UnknownImage, UnsupportedText, WrongDimension, InvalidVector,
    SpaceMismatch, UnknownModel, Overloaded.
    """
    if image is not None:
        return await _of_image(context, found, request, image)
    if request.region is not None:
        return await _of_indexed_part(context, found, request, request.region, records)
    if request.text is not None:
        if worded is None:
            encoder = await context.encoder_for(found)
            (worded,) = await context.embedder.embed_texts(encoder, [request.text])
        return Asked(sought(request, found.name, found.space, records, embedded=worded))
    looked_for = sought(request, found.name, found.space, records)
    if request.explain == "none" or request.id is None:
        return Asked(looked_for)
    return Asked(looked_for, explained=await _of_indexed(context, found, records[request.id]))


async def explainer_for(context: Context, found: Collection) -> Explainer:
    """What makes the maps of hits. Raises UnsupportedTarget, SpaceMismatch, UnknownModel."""
    explainer = context.explainer(await context.encoder_for(found), "similarity", TargetOptions())
    explainer.check()
    return explainer


async def _of_image(
    context: Context, found: Collection, request: SearchRequest, image: bytes
) -> Asked:
    crop = None if request.region is None else images.Crop(_region(request.region))
    explained = request.explain != "none"
    embedded, seen = await _embed(
        context, found, image, crop, made_from="image", explained=explained
    )
    vector, picture = embedded.encoded.embedding, embedded.image
    region = None if crop is None else crop.region
    return Asked(
        sought(request, found.name, found.space, {}, embedded=vector),
        "image",
        None if seen is None else Query(vector, seen, picture.width, picture.height, region),
    )


async def _of_indexed_part(
    context: Context,
    found: Collection,
    request: SearchRequest,
    region: Region,
    records: Mapping[str, Record],
) -> Asked:
    """A part of an indexed image, cut from its thumbnail."""
    record = records.get(str(request.id))
    if record is None:
        raise UnknownImage(f"No image '{request.id}' in collection '{found.name}'.")
    width, height = record.payload["width"], record.payload["height"]
    crop = images.Crop(_region(region), (width, height))
    (thumbnail,) = await read_thumbnails(context.store, found.name, [_hit(record)])
    explained = request.explain != "none"
    embedded, seen = await _embed(
        context, found, thumbnail, crop, made_from="thumbnail", explained=explained
    )
    vector = embedded.encoded.embedding
    return Asked(
        sought(request, found.name, found.space, records, embedded=vector),
        "thumbnail",
        None if seen is None else Query(vector, seen, width, height, crop.region),
    )


async def _of_indexed(context: Context, found: Collection, record: Record) -> Query:
    """A whole indexed image, which is explained from its thumbnail unless the image was seen."""
    explainer, hit = await explainer_for(context, found), _hit(record)
    (seen,) = await recall_or_see(explainer, context.store, found.name, [hit])
    if isinstance(seen, LookalikeError):
        raise seen
    vector: Vector = seen.encoded.embedding if record.vector is None else record.vector
    return Query(vector, seen, record.payload["width"], record.payload["height"])


async def _embed(
    context: Context,
    found: Collection,
    image: bytes,
    crop: images.Crop | None,
    *,
    made_from: MadeFrom,
    explained: bool,
) -> tuple[Embedded, Seen | None]:
    """An image, or a part of it, with what explains it if that is asked for."""
    if not explained:
        encoder = await context.encoder_for(found)
        (plain,) = await context.embedder.embed(encoder, [image], crop=crop)
        if isinstance(plain, LookalikeError):
            raise plain
        return plain, None
    explainer = await explainer_for(context, found)
    if crop is not None:
        return await explainer.see_part(image, crop, made_from)
    (result,) = await explainer.see([image])
    if isinstance(result, LookalikeError):
        raise result
    return result


def _region(region: Region) -> images.Region:
    return images.Region(region.left, region.top, region.width, region.height)


def _hit(record: Record) -> Hit:
    return Hit(record.id, 1.0, record.payload, record.vector)
