"""``tieline run views``: the live views as one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from aiokafka.codec import has_lz4  # type: ignore[import-untyped]  # ships no types

from tieline.kernel.clock import utc_now
from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Stop
from tieline.kernel.exposing import serve_metrics
from tieline.kernel.landscape import Kafka, Landscape
from tieline.kernel.metrics import Age, Measure, Metrics
from tieline.kernel.telemetry import Log
from tieline.views.completeness import Completeness
from tieline.views.entries import Figures, Sources, sources_of
from tieline.views.faust_app import Decoder, LiveViews, OnSkip, build_app
from tieline.views.flows import flows_of
from tieline.views.following import open_follower
from tieline.views.http import HOST, start_server
from tieline.views.topics import changelogs, ensure_topics

NAME = "views"
CRASH_CHECK_SECS = 1.0
FOLLOW_SECS = 0.5  # longest wait for a record; also how long a stop may take longer


def run_views(landscape_path: Path) -> None:
    """Run until SIGTERM or SIGINT. Raises ``Stop`` with the reason when it cannot run."""
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root; it loads every processor

    hub = open_hub(landscape_path)
    serve_views(hub.landscape, hub.codec)


def serve_views(landscape: Landscape, codec: Codec) -> None:
    """Follow the topics and answer on the loopback's ``views_port`` until told to stop. Raises ``Stop``."""
    if not has_lz4():
        raise Stop("the live views cannot read lz4 records here: install tieline[views] (it brings cramjam)")
    sources = sources_of(landscape.systems)
    ensure_topics(landscape.kafka, sources)
    log = Log(NAME)
    # Faust speaks through logging: only its warnings are worth a line.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it warns of every reconnection

    def skipped(coordinates: str, reason: str) -> None:
        structlog.get_logger().warning("record-skipped", consumer=NAME, record=coordinates, reason=reason)

    decoder = Decoder(codec, lambda reason: log.warning("broker-waited-for", reason=reason))
    metrics = Metrics()
    try:
        with serve_metrics(landscape, NAME, metrics, log):
            asyncio.run(_serve(landscape, sources, decoder, skipped, metrics))
    finally:
        decoder.close()
    log.info("stopped")


async def _serve(landscape: Landscape, sources: Sources, decoder: Decoder, on_skip: OnSkip, metrics: Metrics) -> None:
    log = Log(NAME)
    live = LiveViews(Figures(completeness=Completeness(flows_of(landscape))))
    turn = show_metrics(live, metrics)
    port = landscape.views_port
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    try:
        server = await start_server(live, port, host=os.environ.get("TIELINE_VIEWS_HOST", HOST))
    except OSError as error:
        raise Stop(
            f"port {port} on {HOST} cannot be used ({error.strerror}); set views_port in the landscape"
        ) from error
    # Faust insists on a folder, which the place we were started from may not allow; our tables keep nothing in it.
    folder = tempfile.TemporaryDirectory(prefix="tieline-views-")
    app = build_app(landscape.kafka, decoder, live, sources, on_skip=on_skip, folder=Path(folder.name))
    following = asyncio.create_task(_keep_up(landscape.kafka, changelogs(sources), live, asked))
    try:
        app.finalize()
        await app.start()
        log.info("started")
        while not asked.is_set():
            turn.begin()
            # Faust sets its crash flag from its consumer's thread, which wakes nobody: so it is looked at.
            if live.failure or app.crashed or app.should_stop:
                reason = live.failure or repr(app.crash_reason)
                sys.stderr.write(f"tieline: the live views failed: {reason}\n")
                sys.stderr.flush()
                # A graceful stop would commit positions that Faust has wrong by now; the next start reads on safely.
                os._exit(1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), CRASH_CHECK_SECS)
    finally:
        asked.set()
        await app.stop()
        await server.cleanup()
        await following
        folder.cleanup()


def show_metrics(live: LiveViews, metrics: Metrics) -> Age:
    """Let the state of the views be seen; the caller begins the age again with each turn."""
    turn = Age(utc_now)
    turn.begin()
    metrics.follow(Measure.TURN_AGE, turn.secs, consumer=NAME)
    metrics.follow(Measure.VIEWS_READY, lambda: float(live.is_ready))
    metrics.follow(Measure.VIEWS_SKIPPED, lambda: live.skipped)
    return turn


async def _keep_up(kafka: Kafka, topics: Mapping[str, str], live: LiveViews, asked: asyncio.Event) -> None:
    """Show what the changelogs say until asked to stop, all of it on this event loop but the waiting."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="follower") as thread:
        try:
            follower = await loop.run_in_executor(thread, open_follower, kafka, topics)
            while not asked.is_set():
                for change in await loop.run_in_executor(thread, follower.read, FOLLOW_SECS):
                    live.figures.put(change)
                live.is_ready = follower.is_caught_up
            await loop.run_in_executor(thread, follower.close)
        except Exception as error:  # noqa: BLE001  - without it the answers would stand still: the process must end
            live.failure = repr(error)
