"""A minimal ERP's postings over HTTP. It takes whatever it is sent, as often as it is sent: the witness of effects.

POST /postings {ref, document, total} books once more, whatever was booked before; GET /postings?ref= says what was.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Posting(NamedTuple):
    """One posting: the hub's reference of the document, the document's own number, its total."""

    ref: str
    document: str
    total: str


class Ledger:
    """The postings, in the order they were booked; each is in the file before it is answered."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._answers_to_lose = 0
        self._numbers: dict[str, list[int]] = {}
        self.postings: list[Posting] = []
        self.lost_answers = 0

    def book(self, posting: Posting) -> int:
        """Append; the posting's number, from 1."""
        with self._lock, self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(posting) + "\n")
            self.postings.append(posting)
            self._numbers.setdefault(posting.ref, []).append(len(self.postings))
            return len(self.postings)

    def of(self, ref: str) -> list[int]:
        """Numbers of the postings with this reference."""
        with self._lock:
            return [*self._numbers.get(ref, ())]

    def lose_answers(self, count: int) -> None:
        """The next postings are booked, and nobody is told."""
        with self._lock:
            self._answers_to_lose += count

    def loses_answer(self) -> bool:
        """Whether this answer is one of those."""
        with self._lock:
            loses = self._answers_to_lose > 0
            self._answers_to_lose -= loses
            self.lost_answers += loses
            return loses


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ledger = ledger

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who dies in the middle of a request is what is tested here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  - the base class names it
        """Say nothing."""

    def do_GET(self) -> None:
        ref = parse_qs(urlsplit(self.path).query)["ref"][0]
        self._answer(200, {"numbers": self.server.ledger.of(ref)})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = self.server.ledger.book(Posting(body["ref"], body["document"], body["total"]))
        if self.server.ledger.loses_answer():
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(201, {"number": number})

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serve_ledger(file: Path) -> Iterator[tuple[Ledger, str]]:
    """A ledger that answers, and its URL."""
    ledger = Ledger(file)
    server = _Server(ledger)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield ledger, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
