"""What is asked of a schema registry over HTTP, and what its answers come to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tieline.kernel.codecs import ConfluentSchemaIds
from tieline.kernel.errors import Retryable, Stop


@dataclass
class Desk:
    """A registry that answers what it is told to, and remembers what it was asked."""

    url: str
    answers: dict[str, tuple[int, object]] = field(default_factory=dict)
    asked: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def desk() -> Iterator[Desk]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.asked.append((self.command, self.path, dict(self.headers), body))
            code, answer = found.answers.get(self.path, (404, {"error_code": 40403, "message": "Schema not found"}))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  - the server's own name

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Desk(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_id_of_a_schema_under_a_subject_is_looked_up_by_its_text(desk: Desk) -> None:
    desk.answers["/subjects/a.b-tieline.C%2FD?normalize=false&deleted=false"] = (200, {"id": 7, "version": 1})
    assert ConfluentSchemaIds(f"{desk.url}/").id_of("a.b-tieline.C/D", '"string"') == 7
    [(method, _, headers, body)] = desk.asked
    assert (method, json.loads(body)) == ("POST", {"schema": '"string"', "schemaType": "AVRO"})
    assert headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
    assert "Authorization" not in headers


def test_a_schema_is_found_with_its_subjects(desk: Desk) -> None:
    desk.answers |= {"/schemas/ids/7": (200, {"schema": '"string"'}), "/schemas/ids/7/subjects": (200, ["a", "b"])}
    assert ConfluentSchemaIds(desk.url).find(7) == ('"string"', frozenset({"a", "b"}))


def test_what_the_registry_has_not_is_none(desk: Desk) -> None:
    ids = ConfluentSchemaIds(desk.url)
    assert ids.find(8) is None
    assert ids.id_of("a", '"string"') is None


@pytest.mark.parametrize(
    ("code", "answer", "reason"),
    [
        (500, {"message": "no store"}, "500: no store"),
        (503, b"<html>", "503"),
        (401, b"", "401"),
        (200, b"<html>", "does not answer"),
        (200, {}, "registry.url"),
        (200, [], "registry.url"),
    ],
)
def test_an_answer_that_is_none_is_asked_for_again(desk: Desk, code: int, answer: object, reason: str) -> None:
    desk.answers["/schemas/ids/7"] = (code, answer)
    with pytest.raises(Retryable, match=reason):
        ConfluentSchemaIds(desk.url).find(7)


def test_a_registry_that_is_not_there_is_asked_again() -> None:
    with pytest.raises(Retryable, match="does not answer"):
        ConfluentSchemaIds("http://127.0.0.1:9").find(7)


def test_of_several_the_next_one_is_asked_when_one_is_out(desk: Desk) -> None:
    desk.answers |= {"/schemas/ids/7": (200, {"schema": '"string"'}), "/schemas/ids/7/subjects": (200, ["a"])}
    assert ConfluentSchemaIds(f"http://127.0.0.1:9, {desk.url}").find(7) == ('"string"', frozenset({"a"}))


def test_a_user_in_the_address_is_named_in_a_header_only(desk: Desk) -> None:
    desk.answers["/schemas/ids/7"] = (500, {"message": "no store"})
    with pytest.raises(Retryable) as caught:
        ConfluentSchemaIds(desk.url.replace("http://", "http://hub:s%40crt@")).find(7)
    assert desk.asked[0][2]["Authorization"] == "Basic aHViOnNAY3J0"  # hub:s@crt
    assert "crt" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8080", "file:///etc/passwd", "", "http://"])
def test_what_is_no_address_of_a_registry_stops_the_process(url: str) -> None:
    with pytest.raises(Stop, match=r"registry\.url"):
        ConfluentSchemaIds(url)
