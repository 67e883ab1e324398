"""Status asks everybody at once, and says within seconds who does not answer."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
import yaml
from tests.parts.statuses import printed, story_of
from typer.testing import CliRunner

from tieline.cli import app
from tieline.kernel.clock import utc_now
from tieline.kernel.consuming import Runtime, TransactionalLoop
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.exposing import MetricsServer
from tieline.kernel.inspecting import LogReader
from tieline.kernel.landscape import Landscape
from tieline.kernel.metrics import Measure, Metrics
from tieline.kernel.telemetry import Log, configure_logging
from tieline.kernel.watchdog import Watchdog
from tieline.operating.hours import read_hours, share_text
from tieline.operating.status import Status, read_status
from tieline.operating.workers import ASK_SECS, read_figures, read_workers
from tieline.wiring import _run

DEMO = Path(__file__).parents[3] / "deploy" / "local" / "landscape.yaml"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError(f"nobody listens on {port}")


def demo(**changed: object) -> Landscape:
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8")) | changed
    return Landscape.model_validate(document, context={"base": DEMO.parent})


@contextmanager
def serving(answers: dict[str, tuple[int, str]]) -> Iterator[int]:
    """A server that answers some paths; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, text = answers.get(self.path.partition("?")[0], (404, ""))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_process_is_asked_at_its_own_port_and_one_that_is_silent_is_told_from_it() -> None:
    metrics = Metrics()
    metrics.put(Measure.TARGET_PAUSED, 1, target="erp")
    port = free_port()
    server = MetricsServer(metrics, port, cast("Log", None), host="127.0.0.1")
    server.start()
    try:
        wait_for(port)
        began = time.monotonic()
        found = read_workers(demo(metrics_port=port))
        assert time.monotonic() - began < ASK_SECS + 1.0
    finally:
        server.close()
    shown = found["identify"]  # the first process has the first port
    assert shown is not None
    assert shown.of(Measure.TARGET_PAUSED, target="erp") == 1.0
    assert shown.of(Measure.TARGET_PAUSED, target="other") == 0.0
    assert list(shown.each(Measure.TARGET_PAUSED)) == [({"target": "erp"}, 1.0)]
    assert found["accept"] is None
    assert len(found) == 8


def test_a_stranger_on_the_port_is_no_process_and_no_ports_are_no_silence() -> None:
    def stranger(port: int) -> str:
        del port
        return "<html>\n{ not metrics"

    assert set(read_workers(demo(metrics_port=9464), stranger).values()) == {None}
    assert read_workers(demo(metrics_port=0)) == {}


def test_completeness_comes_from_the_views_and_is_missing_without_them() -> None:
    row = {"hour": "2026-05-01T11:00Z", "flow": "asset:am>erp", "routed": 3, "open": 1, "completeness": 0.6666}
    now = utc_now()
    with serving({"/completeness": (200, json.dumps({"items": [row, row | {"completeness": None}]}))}) as port:
        some, none = read_hours(now, port)
        assert (some.flow, some.routed, some.still_open, some.complete) == ("asset:am>erp", 3, 1, 0.6666)
        assert some.hour.isoformat() == "2026-05-01T11:00:00+00:00"
        assert none.complete is None
    assert read_hours(now, port) == []
    with serving({"/completeness": (503, "{}")}) as port:
        assert read_hours(now, port) == []
    with serving({"/completeness": (200, "[1]")}) as port:
        assert read_hours(now, port) == []


def test_only_what_is_complete_is_a_hundred_percent() -> None:
    assert [share_text(share) for share in (1.0, 0.9999, 0.5, 0.0, None)] == ["100%", "99.9%", "50%", "0%", "-"]


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """The demo's landscape, with nobody where it says that Kafka, the registry and the processes are."""
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    document["kafka"]["bootstrap_servers"] = f"127.0.0.1:{free_port()}"
    document["registry"]["url"] = f"http://127.0.0.1:{free_port()}"
    document["metrics_port"] = 0
    file = tmp_path / "landscape.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def test_with_kafka_and_the_registry_away_status_says_so_within_five_seconds(nowhere: Path) -> None:
    began = time.monotonic()
    done = CliRunner().invoke(app, ["status", "--landscape", str(nowhere)])
    assert time.monotonic() - began < 5.0
    assert done.exit_code == 3
    assert "! broker-away: Kafka does not answer: 127.0.0.1:" in done.output
    assert "! broker-away: the schema registry does not answer: http://127.0.0.1:" in done.output
    assert "next   every process tries again by itself each second" in done.output
    assert "Attention: 2 troubles, marked with !." in done.output


def test_the_same_for_programs(nowhere: Path) -> None:
    done = CliRunner().invoke(app, ["status", "--json", "--landscape", str(nowhere)])
    assert done.exit_code == 3
    document = json.loads(done.output)
    assert [one["trouble"] for one in document["troubles"]] == ["broker-away", "broker-away"]
    assert document["needs_attention"] is True
    assert document["processes"] == []


def test_a_broker_that_goes_while_it_is_read_is_no_less_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise Unavailable("offsets: Kafka says Local: Timed out")

    monkeypatch.setattr("tieline.operating.status.read_book", gone)
    log = cast("LogReader", SimpleNamespace(landscape=demo(metrics_port=0)))
    told = read_status(log, look=lambda _: [])
    story = story_of(told, "broker-away")
    assert story.what == "Kafka or the schema registry does not answer: offsets: Kafka says Local: Timed out"
    assert story.since_text(told.at) == "not known by any process"
    assert story.waits == "everything; how the processes are is not known"


def test_the_last_line_of_a_process_that_must_end_is_its_last_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    class Fenced:
        def start(self) -> None:
            raise Stop("sink-erp: another copy …", trouble="fenced")

        def close(self) -> None:
            pass

    configure_logging()
    runtime = cast("Runtime", SimpleNamespace(log=Log("sink-erp"), stopping=lambda: False, watchdog=Watchdog()))
    with pytest.raises(Stop, match="another copy"):
        _run(cast("TransactionalLoop", Fenced()), runtime)
    structlog.reset_defaults()
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["event"], line["trouble"], line["why"]) == ("ended", "fenced", "sink-erp: another copy …")
    assert line["consumer"] == "sink-erp"


def test_figures_read_what_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.count(Measure.SOURCE_FAILURES, 3, system="am")
    shown = read_figures(metrics.expose().decode())
    assert shown.of(Measure.SOURCE_FAILURES, system="am") == 3.0
    assert shown.of(Measure.BROKER_AWAY) == 0.0


def test_without_metrics_the_status_says_what_it_cannot_know() -> None:
    told = Status(utc_now(), (), (), letters_cut=False, metrics_off=True)
    assert "No metrics_port in the landscape" in printed(told)
    assert not told.needs_attention
