"""A shop: products with pictures, and on each product's page a box of those that look like it.

The shop's own data are files; the service beside it holds only what can be made again from them. While it
is away the shop goes on without its boxes, and takes in nothing new.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from lookalike import AsyncLookalike, LookalikeError
from lookalike.errors import ClientError, Unavailable

DATA = Path(os.environ.get("SHOP_DATA", "shop-data"))
COLLECTION = os.environ.get("SHOP_COLLECTION", "products")
FORM = """<form method="post" action="/products" enctype="multipart/form-data">
  <input name="name" placeholder="Name" required>
  <input name="cents" type="number" min="0" placeholder="Price in cents" required>
  <input name="picture" type="file" accept="image/*" required> <button>Sell</button></form>"""
log = logging.getLogger("shop")


@dataclass(frozen=True)
class Product:
    """What is for sale; its picture is the file of its id."""

    id: str
    name: str
    cents: int

    @property
    def picture(self) -> Path:
        """Where its picture is kept."""
        return DATA / f"{self.id}.picture"


products: dict[str, Product] = {}
lookalike = AsyncLookalike(timeout=10, retries=1)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Open at once, and index meanwhile."""
    load()
    catching_up = asyncio.create_task(catch_up())
    yield
    catching_up.cancel()
    await lookalike.close()


def load() -> None:
    """Read the products."""
    DATA.mkdir(parents=True, exist_ok=True)
    for file in DATA.glob("*.json"):
        product = Product(**json.loads(file.read_text()))
        products[product.id] = product


async def catch_up() -> None:
    """Index what is not, as soon as the service is there; what is already costs a hash."""
    while True:
        with contextlib.suppress(ClientError, Unavailable):
            for product in list(products.values()):
                await index(product)
            return
        await asyncio.sleep(2)


async def index(product: Product) -> str | None:
    """Make a product findable by its picture; what is wrong with the picture, if anything is."""
    collection = await lookalike.create_collection(COLLECTION)  # where it is missing
    added = await collection.add(product.picture, ids=[product.id])
    return added[0].error.detail if added[0].error else None


app = FastAPI(title="Shop", lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, int]:
    """The shop is open, whether or not the service beside it is."""
    return {"products": len(products)}


@app.get("/", response_class=HTMLResponse)
async def shelf() -> str:
    """All products, and a form for one more."""
    return page("Shop", cards(list(products.values())) + FORM)


@app.post("/products")
async def sell(
    name: Annotated[str, Form()], cents: Annotated[int, Form(ge=0)], picture: UploadFile
) -> RedirectResponse:
    """Take in a product."""
    product = Product(uuid.uuid4().hex, name, cents)
    product.picture.write_bytes(await picture.read())
    try:
        wrong = await index(product)
    except LookalikeError as error:
        wrong = f"The picture cannot be checked: {error}"
    if wrong:
        product.picture.unlink()
        raise HTTPException(422, wrong)
    (DATA / f"{product.id}.json").write_text(json.dumps(asdict(product)))
    products[product.id] = product
    return RedirectResponse(f"/products/{product.id}", status_code=303)


@app.get("/products/{id}", response_class=HTMLResponse)
async def show(id: str) -> str:
    """One product, with those that look like it."""
    product = known(id)
    try:
        hits = await lookalike.collection(COLLECTION).search(id=product.id, limit=4)
        similar = [products[hit.id] for hit in hits if hit.id in products]
    except LookalikeError as error:
        log.warning("no similar products: %s", error)
        similar = []
    box = f'<h2>Similar products</h2><p id="similar">{cards(similar)}' if similar else ""
    return page(product.name, cards([product]) + box)


@app.get("/products/{id}/picture")
async def picture(id: str) -> FileResponse:
    """A product's picture."""
    return FileResponse(known(id).picture, media_type="image/*")


def known(id: str) -> Product:
    """The product of an id, or 404."""
    if id not in products:
        raise HTTPException(404, "There is no such product.")
    return products[id]


def cards(shown: list[Product]) -> str:
    """Products as HTML."""
    return "".join(
        f'<a href="/products/{p.id}"><img src="/products/{p.id}/picture" height="160" alt="">'
        f" {escape(p.name)}, {p.cents / 100:.2f}</a> "
        for p in shown
    )


def page(title: str, body: str) -> str:
    """A whole page."""
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title>'
    return f'{head}<h1>{escape(title)}</h1>{body}<p><a href="/">All products</a>'
