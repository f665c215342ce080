"""What takes time to ask, and so is looked at every few seconds: readiness and the queue of jobs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog

from lookalike_service.api.context import Context
from lookalike_service.errors import LookalikeError

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 15.0
_ANSWER_SECONDS = 10.0


async def watch(context: Context) -> None:
    """Keep the gauges of readiness and of jobs up to date, until cancelled."""
    while True:
        try:
            await look(context)
        except Exception:  # or the gauges would stand still for ever, and seem right
            log.exception("watching stumbled, and goes on")
        await asyncio.sleep(_EVERY_SECONDS)


async def look(context: Context) -> None:
    """Set the gauges once."""
    await readiness(context)
    await asyncio.to_thread(_jobs, context)


async def readiness(context: Context) -> tuple[str, str]:
    """What the encoder and the store say, "ok" or what is wrong; within seconds. Sets the gauge.

    Anybody may ask, without a key: however many do, one image at a time is embedded for them.
    """
    return await context.probe.result(lambda: _probe(context))


async def _probe(context: Context) -> tuple[str, str]:
    encoder, store = await asyncio.gather(_encoder_state(context), _store_state(context))
    context.metrics.ready.set(encoder == store == "ok")
    _tell(context, encoder, store)
    return encoder, store


def _tell(context: Context, encoder: str, store: str) -> None:
    """Log it when the service becomes ready or not, and when something else is the reason."""
    before, context.last_look.well = context.last_look.well, (encoder == "ok", store == "ok")
    if context.last_look.well == before:
        return
    if all(context.last_look.well):
        log.info("ready again")
    else:
        log.warning("not ready", encoder=encoder, store=store)


async def _encoder_state(context: Context) -> str:
    try:
        encoder = await context.encoder(None)
    except LookalikeError as error:
        return error.detail
    return await context.embedder.canary(encoder, _ANSWER_SECONDS)


async def _store_state(context: Context) -> str:
    try:
        await asyncio.wait_for(asyncio.to_thread(context.store.check), _ANSWER_SECONDS)
    except LookalikeError as error:
        return error.detail
    except TimeoutError:
        return f"no answer within {_ANSWER_SECONDS:g} s"
    return "ok"


def _jobs(context: Context) -> None:
    """Count the jobs that wait or run; while the store is away, the last counts stand."""
    try:
        jobs = context.jobs.recent()
    except LookalikeError:
        return
    waiting = [job for job in jobs if job.state == "queued"]
    running = [job for job in jobs if job.state == "running"]
    oldest = min((datetime.fromisoformat(job.created_at) for job in waiting), default=None)
    age = 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()
    context.metrics.jobs.labels("queued").set(len(waiting))
    context.metrics.jobs.labels("running").set(len(running))
    context.metrics.job_oldest_queued.set(max(age, 0.0))
