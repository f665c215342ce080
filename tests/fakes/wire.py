"""The wire from the service's side: what clients are sent, without pixels, models or a store.

Image bytes that begin with `broken` fail as truncated, and those with `poison` fail their whole request.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

import httpx

from tests.fakes.loopback import listening

JsonObject = dict[str, Any]
DATE = "2026-01-01T00:00:00+00:00"
PNG = b"\x89PNG fake"
MAP: JsonObject = {
    "grid": [[0.0, 1.0]],
    "region": {"left": 0, "top": 0, "width": 2, "height": 1},
    "image_width": 2,
    "image_height": 1,
    "peak": 0.5,
    "empty": False,
    "made_from": "image",
    "faithfulness": {
        "deletion": 0.1,
        "insertion": 0.5,
        "score": 0.4,
        "chance": 0.1,
        "verdict": "faithful",
    },
}


def problem(status: int, code: str, detail: str = "because", **headers: str) -> httpx.Response:
    """A problem document."""
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
    kind = {"Content-Type": "application/problem+json"}
    return httpx.Response(status, content=json.dumps(body), headers=kind | headers)


def parts(request: httpx.Request) -> tuple[dict[str, list[bytes]], dict[str, str]]:
    """The file parts and text fields of a multipart body."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    files: dict[str, list[bytes]] = {}
    fields: dict[str, str] = {}
    for part in request.content.split(b"--" + boundary)[1:-1]:
        head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]*)"', head)
        assert name is not None
        if b"filename=" in head:
            files.setdefault(name[1].decode(), []).append(body.removesuffix(b"\r\n"))
        else:
            fields[name[1].decode()] = body.removesuffix(b"\r\n").decode()
    return files, fields


@dataclass
class WireService:
    """Collections in memory; `handle` answers a request. `failures` are given out first."""

    collections: dict[str, JsonObject] = field(default_factory=dict)
    images: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    jobs: dict[str, JsonObject] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    failures: list[httpx.Response] = field(default_factory=list)
    max_images: int = 256
    created: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def transport(self) -> httpx.MockTransport:
        """For clients in this process."""
        return httpx.MockTransport(self.handle)

    def listen(self) -> AbstractContextManager[str]:
        """For clients in other processes: the address of a loopback server."""
        return listening(_handler(self))

    def uploads(self) -> int:
        """How many images were sent to be indexed."""
        posts = [r for r in self.requests if r.method == "POST" and r.url.path.endswith("/images")]
        return sum(len(parts(request)[0]["images"]) for request in posts)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        request.read()
        with self._lock:
            self.requests.append(request)
            if self.failures:
                return self.failures.pop(0)
            path = request.url.raw_path.partition(b"?")[0].decode()
            segments = [unquote(s) for s in path.strip("/").split("/")]
            match segments:
                case ["v1", "collections"]:
                    found = [self._describe(name) for name in self.collections]
                    return httpx.Response(200, json={"collections": found})
                case ["v1", "collections", name, *rest]:
                    return self._collection(request, name, rest)
                case ["v1", "jobs", *rest]:
                    return self._jobs(request, rest)
                case _:
                    return self._service(request, path)

    def _service(self, request: httpx.Request, path: str) -> httpx.Response:
        match request.method, path:
            case "GET", "/v1/info":
                info = {"version": "0.1.0", "model": "fake", "device": "cpu", "dtype": "float32"}
                return httpx.Response(200, json=info | {"store": "embedded"})
            case "GET", "/v1/models":
                model = {"model": "fake", "space": "s", "dim": 2, "input_size": [224, 224]}
                rest = {"text": False, "license": "Apache-2.0", "default": True}
                return httpx.Response(200, json={"models": [model | rest]})
            case "POST", "/v1/embed":
                return self._embed(parts(request)[0]["images"], request)
            case "POST", "/v1/explain":
                if request.headers["accept"] == "image/png":
                    return httpx.Response(200, content=PNG)
                return httpx.Response(200, json=_explained(request))
        return problem(404, "not_found")

    def _embed(self, images: list[bytes], request: httpx.Request) -> httpx.Response:
        items = [_embedded(i, data, request) for i, data in enumerate(images)]
        if len(items) == 1 and "error" in items[0]:
            return problem(422, items[0]["error"]["code"])
        return httpx.Response(200, json={"model": "fake", "space": "s", "dim": 2, "items": items})

    # -- collections

    def _describe(self, name: str) -> JsonObject:
        return self.collections[name] | {"points": len(self.images[name])}

    def _collection(  # noqa: PLR0911 - one for each path
        self, request: httpx.Request, name: str, rest: list[str]
    ) -> httpx.Response:
        if request.method == "PUT":
            return self._create(name, json.loads(request.content))
        if name not in self.collections:
            return problem(404, "unknown_collection", f"There is no collection '{name}'.")
        match request.method, rest:
            case "GET", []:
                return httpx.Response(200, json=self._describe(name))
            case "DELETE", []:
                del self.collections[name], self.images[name]
                return httpx.Response(204)
            case "POST", ["search"]:
                return self._search(request, name)
            case "POST", ["search", "batch"]:
                return self._search_batch(request, name)
            case "GET", ["facets"]:
                asked = request.url.params
                counts = [{"value": "a", "count": 2}, {"value": "b", "count": 1}]
                return httpx.Response(200, json={"field": asked["field"], "values": counts})
            case _, ["calibration"]:
                return self._calibration(request, name)
            case _, ["images", *more]:
                return self._images(request, name, more)
            case _, ["clusterings" | "projections" as kind, *more]:
                return self._runs(request, name, kind, more)
        return problem(404, "not_found")

    def _create(self, name: str, body: JsonObject) -> httpx.Response:
        indexes, model = body.get("indexes", {}), body.get("model", "fake")
        if model != "fake":
            return problem(404, "unknown_model", f"There is no model '{model}'.")
        if name in self.collections:
            same = self.collections[name]["indexes"] == indexes
            return (
                httpx.Response(200, json=self._describe(name))
                if same
                else problem(409, "collection_exists")
            )
        self.created += 1
        settings = {"name": name, "model": model, "space": "s", "dim": 2, "distance": "cosine"}
        stamp = {"indexes": indexes, "fields": {}, "created_at": f"{DATE}#{self.created}"}
        self.collections[name], self.images[name] = settings | stamp, {}
        return httpx.Response(201, json=self._describe(name))

    def _images(  # noqa: PLR0911 - one for each path
        self, request: httpx.Request, name: str, rest: list[str]
    ) -> httpx.Response:
        images = self.images[name]
        match request.method, rest:
            case "POST", []:
                return self._add(request, name)
            case "GET", []:
                start = int(request.url.params.get("cursor", 0))
                end = start + int(request.url.params["limit"])
                cursor = str(end) if end < len(images) else None
                page = list(images.values())[start:end]
                return httpx.Response(200, json={"images": page, "cursor": cursor})
            case "POST", ["delete"]:
                body = json.loads(request.content)
                gone = body["ids"] if "ids" in body else list(images)
                deleted = sum(images.pop(id, None) is not None for id in gone)
                return httpx.Response(200, json={"deleted": deleted})
            case _, [id, *_] if id not in images:
                return problem(404, "unknown_image", f"There is no image '{id}'.")
            case "GET", [id]:
                return httpx.Response(200, json=images[id])
            case "PATCH", [id]:
                images[id]["metadata"] |= json.loads(request.content)["metadata"]
                return httpx.Response(200, json=images[id])
            case "GET", [_, "thumbnail"]:
                return httpx.Response(200, content=b"JPEG")
        return problem(404, "not_found")

    def _add(self, request: httpx.Request, name: str) -> httpx.Response:
        files, fields = parts(request)
        images = files["images"]
        if len(images) > self.max_images:
            return problem(413, "too_many_images")
        if any(data.startswith(b"poison") for data in images):
            return problem(500, "internal_error")
        given = {key: json.loads(value) for key, value in fields.items()}
        items = [self._put(i, data, given, self.images[name]) for i, data in enumerate(images)]
        if len(items) == 1 and "error" in items[0]:
            return problem(422, items[0]["error"]["code"], items[0]["error"]["detail"])
        count = {s: sum(i.get("status") == s for i in items) for s in _STATUSES}
        failed = sum("error" in item for item in items)
        return httpx.Response(200, json={"items": items, "failed": failed} | count)

    def _put(
        self, index: int, data: bytes, given: JsonObject, images: dict[str, JsonObject]
    ) -> JsonObject:
        if data.startswith(b"broken"):
            error = {"code": "truncated_image", "detail": "The image ends too early."}
            return {"index": index, "error": error}
        sha256 = hashlib.sha256(data).hexdigest()
        id = given["ids"][index] if "ids" in given else sha256
        former = images.get(id)
        images[id] = {
            "id": id,
            "sha256": sha256,
            "source": given["sources"][index],
            "metadata": given["metadata"][index] if "metadata" in given else {},
            "indexed_at": DATE,
            "clusters": {},
        } | {"width": 2, "height": 1, "format": "JPEG"}
        status = "created" if former is None else "updated"
        if former is not None and former["sha256"] == sha256:
            status = "unchanged"
        return {"index": index, "id": id, "status": status}

    def _search(self, request: httpx.Request, name: str) -> httpx.Response:
        asked = dict(request.url.params) or json.loads(request.content)
        made_from = "thumbnail" if "region" in asked else None
        found = {"model": "fake", "hits": self._hits(asked, name), "made_from": made_from}
        return httpx.Response(200, json=found | {"calibration": self._state(name)})

    def _hits(self, asked: JsonObject, name: str) -> list[JsonObject]:
        images = list(self.images[name].values())[: int(asked["limit"])]
        left_out = ("sha256", "format", "indexed_at")
        explained = asked.get("explain") == "similarity"
        more: JsonObject = {"explanation": {"map": MAP, "query_map": None}} if explained else {}
        more |= {"group": "g"} if "group_by" in asked else {}
        if self._state(name):
            more |= {"chance": 0.001, "expected": 0.002, "verdict": "similar"}
        return [
            {k: v for k, v in image.items() if k not in left_out} | {"score": 1 - 0.1 * rank} | more
            for rank, image in enumerate(images)
        ]

    def _search_batch(self, request: httpx.Request, name: str) -> httpx.Response:
        items: list[JsonObject] = [
            {"index": i, "error": {"code": "unknown_image", "detail": "because"}}
            if asked.get("id") == "gone"
            else {"index": i, "hits": self._hits(asked, name)}
            for i, asked in enumerate(json.loads(request.content)["searches"])
        ]
        found = {"model": "fake", "items": items, "calibration": self._state(name)}
        return httpx.Response(200, json=found)

    def _state(self, name: str) -> JsonObject | None:
        """What hits rest on, once a calibration was begun: half of the images, so it is stale."""
        jobs = [(j["kind"], j["collection"]) for j in self.jobs.values()]
        begun = ("calibration", name) in jobs
        return {"created_at": DATE, "points": 1, "stale": True} if begun else None

    def _calibration(self, request: httpx.Request, name: str) -> httpx.Response:
        if request.method == "POST":
            return self._start(name, "calibrations", json.loads(request.content))
        state = self._state(name)
        if state is None:
            return problem(404, "unknown_calibration")
        tail = {"threshold": 0.7, "share": 0.002, "scale": 0.03, "shape": -0.2, "quantiles": [0.1]}
        counts = {"images": 3, "pairs": 3, "altered": 6, "copies": 0, "seed": 0, "seconds": 0.5}
        bounds = {"space": "s", "similar": 0.675, "near_duplicate": None}
        return httpx.Response(200, json=state | tail | counts | bounds)

    # -- jobs and their results

    def _runs(  # noqa: PLR0911 - one for each path
        self, request: httpx.Request, name: str, kind: str, rest: list[str]
    ) -> httpx.Response:
        if request.method == "POST" and not rest:
            return self._start(name, kind, json.loads(request.content))
        if request.method == "POST":
            images = enumerate(parts(request)[0]["images"])
            placed = [{"index": i, "coordinates": [0.0, 1.0]} for i, _ in images]
            return httpx.Response(200, json={"items": placed})
        if request.headers["accept"] not in ("*/*", "application/json"):
            return httpx.Response(200, content=PNG)
        asked = next((j["parameters"] for j in self.jobs.values() if j["kind"] == kind[:-1]), None)
        if asked is None:
            return problem(404, f"unknown_{kind[:-1]}")
        common = {k: asked.get(k) for k in ("parameters", "filter", "seed")}
        common |= {"space": "s", "points": 2, "created_at": DATE, "seconds": 0.5}
        result = common | (_clustering(asked) if kind == "clusterings" else _projection(asked))
        if rest[1:2] == ["clusters"]:
            return httpx.Response(200, json=_card(name, *rest[::2]))
        if rest:
            return httpx.Response(200, json=result)
        return httpx.Response(200, json={kind: [result]})

    def _start(self, collection: str, kind: str, body: JsonObject) -> httpx.Response:
        job = {
            "id": f"job-{len(self.jobs) + 1}",
            "kind": kind[:-1],
            "collection": collection,
            "state": "queued",
            "progress": {"stage": "queued", "done": 0, "total": None},
            "parameters": body,
            "created_at": DATE,
        }
        self.jobs[str(job["id"])] = job
        return httpx.Response(202, json=job)

    def _jobs(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if not rest:
            return httpx.Response(200, json={"jobs": list(self.jobs.values())[::-1]})
        if rest[0] not in self.jobs:
            return problem(404, "unknown_job", f"There is no job '{rest[0]}'.")
        job = self.jobs[rest[0]]
        if request.method == "DELETE":
            job["state"] = "cancelled"
            return httpx.Response(202, json=job)
        self._advance(job)
        return httpx.Response(200, json=job)

    def _advance(self, job: JsonObject) -> None:
        """Each look finds the job one state further; algorithm or method `fails` does."""
        asked = job["parameters"].get("algorithm") or job["parameters"].get("method")
        if job["state"] == "queued":
            job |= {"state": "running", "progress": {"stage": "fitting", "done": 1, "total": 2}}
        elif job["state"] == "running" and asked == "fails":
            detail = "k is 9; there are 2 images."
            job |= {"state": "failed", "error": {"code": "invalid_parameters", "detail": detail}}
        elif job["state"] == "running":
            job |= {"state": "succeeded", "progress": {"stage": "done", "done": 2, "total": 2}}


def _card(collection: str, clustering: str, label: str) -> JsonObject:
    exemplar = {"id": "a", "score": 0.9, "source": None, "metadata": {}, "map": MAP}
    return {
        "collection": collection,
        "clustering": clustering,
        "label": int(label),
        "size": 2,
        "medoid": "a",
        "spread": 0.1,
        "nearest": 1,
        "similarity": 0.5,
        "exemplars": [exemplar],
    }


def _explained(request: httpx.Request) -> JsonObject:
    asked = request.url.params
    pair = "reference" in parts(request)[0]
    found = {
        "model": "fake",
        "target": asked.get("target", "similarity" if pair else "self"),
        "method": asked.get("method", "gradcam"),
        "layer": asked.get("layer"),
        "value": 0.5,
        "about": {"cluster": int(asked["cluster"])} if "cluster" in asked else {},
        "map": MAP | ({"faithfulness": None} if asked.get("faithfulness") == "false" else {}),
    }
    return found | ({"similarity": 0.5, "reference_map": MAP} if pair else {})


_STATUSES = ("created", "updated", "unchanged")


def _embedded(index: int, data: bytes, request: httpx.Request) -> JsonObject:
    if data.startswith(b"broken"):
        return {"index": index, "error": {"code": "truncated_image", "detail": "because"}}
    item: JsonObject = {"index": index, "embedding": [0.6, 0.8]}
    return item | ({"map": MAP} if request.url.params["explain"] == "self" else {})


_SWEEP: JsonObject = {
    "k": 1,
    "criterion": "gap",
    "points": 2,
    "candidates": [
        {
            "k": k,
            "within": 2.5 / k,
            "silhouette": None if k == 1 else 0.125,
            "silhouette_low": None,
            "silhouette_high": None,
            "calinski_harabasz": None,
            "davies_bouldin": None,
            "gap": 0.75,
            "gap_error": 0.1,
        }
        for k in (1, 2)
    ],
    "choices": {"silhouette": 2, "gap": 1},
}


def _clustering(asked: JsonObject) -> JsonObject:
    clusters = [{"label": 0, "size": 2, "medoid": "a/[x].jpg", "spread": 0.25}]
    swept = isinstance(asked["parameters"].get("k"), list)
    return {
        "name": asked.get("name") or asked["algorithm"],
        "algorithm": asked["algorithm"],
        "reduction": asked.get("reduction"),
        "noise": 0,
        "clusters": clusters,
        "sweep": _SWEEP if swept else None,
        "diagnostics": {"silhouette": 0.5, "inertia": None},
    }


def _projection(asked: JsonObject) -> JsonObject:
    return {
        "name": asked.get("name") or asked["method"],
        "method": asked["method"],
        "dimensions": asked["dimensions"],
        "diagnostics": {"trustworthiness": 0.75},
        "ids": ["a", "b"],
        "coordinates": [[0.0, 1.0], [1.0, 0.0]],
    }


def _handler(service: WireService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = f"http://{self.headers['host']}{self.path}"
            request = httpx.Request(self.command, url, headers=dict(self.headers), content=body)
            answer = service.handle(request)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "content-length" not in answer.headers:
                self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # the client was killed
                self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    return Handler
