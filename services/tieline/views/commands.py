"""``tieline run views``: the live views as one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog
from aiokafka.codec import has_lz4  # type: ignore[import-untyped]  # ships no types

from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Kafka
from tieline.kernel.telemetry import Log
from tieline.views.faust_app import Decoder, LiveViews, build_app
from tieline.views.http import HOST, start_server
from tieline.views.topics import ensure_topics

CRASH_CHECK_SECS = 1.0


def run_views(landscape_path: Path) -> None:
    """Run until SIGTERM or SIGINT. Raises ``Stop`` with the reason when it cannot run."""
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root; it loads every processor

    hub = open_hub(landscape_path)
    serve_views(hub.landscape.kafka, hub.codec, hub.landscape.views_port)


def serve_views(kafka: Kafka, codec: Codec, port: int) -> None:
    """Follow the event topics and answer on the loopback's ``port`` until told to stop. Raises ``Stop``."""
    if not has_lz4():
        raise Stop("the live views cannot read lz4 records here: install tieline[views] (it brings cramjam)")
    ensure_topics(kafka)
    log = Log("views")
    # Faust speaks through logging: only its warnings are worth a line.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it warns of every reconnection

    def skipped(coordinates: str, reason: str) -> None:
        structlog.get_logger().warning("record-skipped", consumer="views", record=coordinates, reason=reason)

    decoder = Decoder(codec, lambda reason: log.warning("broker-waited-for", reason=reason))
    try:
        asyncio.run(_serve(kafka, decoder, port, skipped, log))
    finally:
        decoder.close()
    log.info("stopped")


async def _serve(kafka: Kafka, decoder: Decoder, port: int, on_skip: Callable[[str, str], None], log: Log) -> None:
    live = LiveViews()
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
    app = build_app(kafka, decoder, live, on_skip=on_skip, folder=Path(folder.name))
    try:
        app.finalize()
        await app.start()
        log.info("started")
        while not asked.is_set():
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
        await app.stop()
        await server.cleanup()
        folder.cleanup()
