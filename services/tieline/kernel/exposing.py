"""A process's metrics over HTTP, for Prometheus to fetch: a small server in a thread of its own.

One request at a time, each within seconds: whoever asks can slow nobody down but the next who asks. A port that is
taken is tried again, for the work matters more than its figures; a second copy of a process takes both over in time.
"""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from tieline.kernel.errors import Stop
from tieline.kernel.fleet import metrics_ports
from tieline.kernel.landscape import Landscape
from tieline.kernel.metrics import Metrics
from tieline.kernel.telemetry import Log

HOST = "127.0.0.1"
PATH = "/metrics"
PORT_VARIABLE, HOST_VARIABLE = "TIELINE_METRICS_PORT", "TIELINE_METRICS_HOST"
REQUEST_SECS = 5.0
RETRY_SECS = 5.0
_LOOK_SECS = 0.25  # how long a stop may take to be seen
_MAX_PORT = 65_535


def chosen_port(name: str, ports: Mapping[str, int], environ: Mapping[str, str] = os.environ) -> int:
    """The port of a process: the environment's, else its own of the landscape's; 0: none. Raises ``Stop``."""
    text = environ.get(PORT_VARIABLE)
    if not text:
        return ports.get(name, 0)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= _MAX_PORT):  # noqa: PLR2004  - digits
        raise Stop(f"{PORT_VARIABLE} is {text[:20]!r}: give a port from 1 to {_MAX_PORT}, or 0 to show no metrics")
    return int(text)


class MetricsServer:
    """Answers GET /metrics on ``host``:``port`` until closed; port 0: does nothing."""

    def __init__(self, metrics: Metrics, port: int, log: Log, *, host: str | None = None) -> None:
        self._metrics = metrics
        self._port = port
        self._log = log
        self._host = host or os.environ.get(HOST_VARIABLE) or HOST  # a container must listen beyond its own loopback
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to serve; returns at once."""
        if self._port:
            self._thread.start()

    def close(self) -> None:
        """Stop serving; an answer under way is finished, within its time."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(REQUEST_SECS + RETRY_SECS)

    def _serve(self) -> None:
        told = False
        while not self._closing.is_set():
            try:
                server = _Server((self._host, self._port), partial(_Handler, self._metrics))
            except OSError as error:
                if not told:
                    self._log.warning("metrics-not-served", port=self._port, why=error.strerror or str(error))
                told = True
                self._closing.wait(RETRY_SECS)
                continue
            with server:
                while not self._closing.is_set():
                    server.handle_request()


@contextmanager
def serve_metrics(landscape: Landscape, name: str, metrics: Metrics, log: Log) -> Iterator[None]:
    """Show a process's metrics meanwhile, where the landscape or the environment says a port. Raises ``Stop``."""
    server = MetricsServer(metrics, chosen_port(name, metrics_ports(landscape)), log)
    server.start()
    try:
        yield
    finally:
        server.close()


class _Server(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 8
    timeout = _LOOK_SECS

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Whoever asked went away: nothing of ours is at fault."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECS
    server_version, sys_version = "tieline", ""

    def __init__(self, metrics: Metrics, *arguments: Any) -> None:
        self._metrics = metrics
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """The figures, on their path only."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(404, f"see {PATH}")
            return
        body = self._metrics.expose()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests are no events."""
