"""Photos: upload them, be warned of near duplicates, see similar ones.

A photo's id is the SHA-256 of its file, which is also the id that the service gives it: the same file
twice is one photo.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from flask import Flask, abort, redirect, render_template_string, request, send_file, url_for
from werkzeug.wrappers import Response

from lookalike import Collection, Hit, Lookalike, LookalikeError

DATA = Path(os.environ.get("PHOTOS_DATA", "photos-data"))
COLLECTION = os.environ.get("PHOTOS_COLLECTION", "photos")
NEAR = float(os.environ.get("PHOTOS_NEAR", "0.9"))
"""The cosine from which a photo counts as a near duplicate until the collection is calibrated."""

PAGE = """<!doctype html><meta charset="utf-8"><title>Photos</title><h1>Photos</h1>
{% macro tile(id) %}<a href="{{ url_for('show', id=id) }}">
  <img src="{{ url_for('file', id=id) }}" height="160" alt=""></a>{% endmacro %}
{% if error %}<p id="error">{{ error }}</p>{% endif %}
{% if photo %}
  <p><img src="{{ url_for('file', id=photo) }}" height="400" alt=""></p>
  {% if near %}<p id="warning">You have nearly the same photo already:
    {% for id in near %}{{ tile(id) }}{% endfor %}</p>{% endif %}
  <form method="post" action="{{ url_for('delete', id=photo) }}"><button>Delete</button></form>
  {% if similar %}<h2>Similar photos</h2>
    <p id="similar">{% for id in similar %}{{ tile(id) }}{% endfor %}</p>{% endif %}
  <p><a href="{{ url_for('album') }}">All photos</a></p>
{% else %}
  <p id="album">{% for id in photos %}{{ tile(id) }}{% endfor %}</p>
  <form method="post" action="{{ url_for('upload') }}" enctype="multipart/form-data">
    <input name="photo" type="file" accept="image/*" required> <button>Upload</button></form>
{% endif %}"""

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 32 * 2**20
lookalike = Lookalike(timeout=30)


def collection() -> Collection:
    """The collection, which is created where it is missing."""
    return lookalike.create_collection(COLLECTION)


def path_of(id: str) -> Path:
    """Where a photo is kept; 404 for what is no id, so that no other file can be asked for."""
    if not re.fullmatch(r"[0-9a-f]{64}", id):
        abort(404)
    return DATA / id


@app.errorhandler(LookalikeError)
def away(error: LookalikeError) -> tuple[str, int]:
    """What cannot be done while the service is away, or does not take."""
    return render_template_string(PAGE, error=error.detail, photos=[]), error.status or 503


@app.get("/healthz")
def healthz() -> dict[str, bool]:
    """The album is open, whether or not the service beside it is."""
    return {"open": True}


@app.get("/")
def album() -> str:
    """All photos, the newest first."""
    DATA.mkdir(parents=True, exist_ok=True)
    files = sorted(DATA.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    return render_template_string(PAGE, photos=[file.name for file in files])


@app.post("/photos")
def upload() -> Response | tuple[str, int]:
    """Take in a photo; one that the service cannot read is turned away with its reason."""
    data = request.files["photo"].read()
    item = collection().add(data)[0]
    if item.error:
        return render_template_string(PAGE, error=item.error.detail, photos=[]), 422
    DATA.mkdir(parents=True, exist_ok=True)
    path_of(hashlib.sha256(data).hexdigest()).write_bytes(data)
    return redirect(url_for("show", id=item.id), 303)


@app.get("/photos/<id>")
def show(id: str) -> str:
    """One photo, with a warning where there is nearly the same, and similar ones."""
    if not path_of(id).is_file():
        abort(404)
    hits = [hit for hit in collection().search(id=id, limit=8) if path_of(hit.id).is_file()]
    near = [hit.id for hit in hits if is_near_duplicate(hit)]
    similar = [hit.id for hit in hits if hit.id not in near and hit.verdict != "no_good_match"]
    return render_template_string(PAGE, photo=id, near=near, similar=similar)


def is_near_duplicate(hit: Hit) -> bool:
    """By what scores mean in this collection, or by a fixed cosine until that is known."""
    return hit.score >= NEAR if hit.verdict is None else hit.verdict == "near_duplicate"


@app.get("/photos/<id>/file")
def file(id: str) -> Response:
    """The photo itself."""
    if not path_of(id).is_file():
        abort(404)
    return send_file(path_of(id).resolve(), mimetype="image/*")


@app.post("/photos/<id>/delete")
def delete(id: str) -> Response:
    """Forget a photo, here and there."""
    path_of(id).unlink(missing_ok=True)
    collection().delete([id])
    return redirect(url_for("album"), 303)
