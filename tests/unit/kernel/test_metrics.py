"""Names, labels and the little server of a process's figures."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tieline.kernel import exposing
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.capturing import READ_BEFORE, began_headers
from tieline.kernel.command_records import RemoveRecord
from tieline.kernel.errors import Stop
from tieline.kernel.exposing import MetricsServer, chosen_port
from tieline.kernel.metering import TargetMeter, changed_ms, sources_of
from tieline.kernel.metrics import MAX_VALUES, OTHER, Kind, Measure, Metrics
from tieline.kernel.producing import pass_on, source_of
from tieline.kernel.protocols import Written
from tieline.kernel.records import Inbound
from tieline.kernel.settling import Confirmed
from tieline.kernel.telemetry import Log
from tieline.kernel.vocabulary import Dispatch, Origin

UNITS = {
    "tieline_source_items_total": "items",
    "tieline_parked_keys": "keys",
    "tieline_parked_letters": "letters",
    "tieline_draining_keys": "keys",
    "tieline_retrying_keys": "keys",
    "tieline_table_rows": "rows",
    "tieline_views_skipped_records": "records",
    "tieline_batch_records": "records",
    "tieline_webhooks_waiting": "webhooks",
    "tieline_account_calls_free": "calls",
    "tieline_quota_left_calls": "calls",
    "tieline_target_paused": "yes or no",
    "tieline_views_ready": "yes or no",
    "tieline_broker_away": "yes or no",
}


@pytest.mark.parametrize("measure", Measure)
def test_a_name_is_prometheus_own_and_carries_its_unit(measure: Measure) -> None:
    metric = measure.value
    assert re.fullmatch(r"tieline(_[a-z]+)+", metric.name)
    assert (metric.kind is Kind.COUNTER) == metric.name.endswith("_total")
    assert metric.name.endswith(("_seconds", "_total")) or metric.name in UNITS
    assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help.endswith((".", ": none.", ": it answers."))
    assert set(metric.labels) <= {
        *("consumer", "topic", "cause", "table", "system", "stream"),
        *("object", "source", "target", "outcome", "call", "result"),
        *("pool", "priority"),
    }


def test_names_are_unique_and_what_is_shown_is_in_the_list() -> None:
    names = [measure.value.name for measure in Measure]
    assert len(set(names)) == len(names)
    shown = {family.name for family in text_string_to_metric_families(Metrics().expose().decode())}
    ours = {name for name in shown if not name.startswith("process_")}
    assert ours == {name.removesuffix("_total") for name in names}
    assert {"process_resident_memory_bytes", "process_cpu_seconds"} <= shown


def test_a_label_with_too_many_values_is_counted_under_other() -> None:
    metrics = Metrics()
    for number in range(MAX_VALUES + 50):
        metrics.count(Measure.SOURCE_ITEMS, system="am", stream=f"stream-{number}")
    metrics.count(Measure.SOURCE_ITEMS, system="am", stream="stream-7")
    value = metrics.value
    assert value("tieline_source_items_total", system="am", stream="stream-7") == 2
    assert value("tieline_source_items_total", system="am", stream=OTHER) == 50
    assert value("tieline_source_items_total", system="am", stream=f"stream-{MAX_VALUES}") is None


def test_two_processes_figures_never_meet() -> None:
    one, other = Metrics(), Metrics()
    one.count(Measure.SOURCE_FAILURES, system="am")
    assert one.value("tieline_source_failures_total", system="am") == 1
    assert other.value("tieline_source_failures_total", system="am") is None


def test_only_a_system_that_has_a_raw_topic_is_a_source() -> None:
    assert source_of("src.am.raw.v1/0/7") == "am"
    assert source_of("recon.drift.state.v1/0/7") == ""
    assert source_of(None) == ""
    assert sources_of(["src.am.raw.v1", "src.am.position.state.v1", "sink.erp.command.v1"]) == {"am"}


def test_a_command_that_goes_back_to_no_systems_topic_counts_under_other() -> None:
    metrics = Metrics()
    meter = TargetMeter("erp", metrics, lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC), {"am"})
    dispatch = Dispatch(command_id="c", target="erp", version=1)
    command = RemoveRecord(dispatch=dispatch, entity="asset", record_id="a-1", native_id="7")
    for correlation in (b"src.am.raw.v1/0/1", b"src.forged.raw.v1/0/1", b"recon.run.event.v1/0/1"):
        record = Inbound("sink.erp.command.v1", 0, 9, b"a-1", b"v", (("ce_correlationid", correlation),))
        meter.settled(record, command, Confirmed(Written("7")))
    labels = {"object": "asset", "target": "erp", "outcome": "confirmed"}
    assert metrics.value("tieline_deliveries_total", **labels, source="am") == 1
    assert metrics.value("tieline_deliveries_total", **labels, source=OTHER) == 2


def test_the_age_of_the_oldest_command_is_that_of_its_record_in_the_topic() -> None:
    metrics, now = Metrics(), dt.datetime(2026, 1, 8, tzinfo=dt.UTC)
    meter = TargetMeter("erp", metrics, lambda: now, {"am"})
    dispatch = Dispatch(command_id="c", target="erp", version=1)
    command = RemoveRecord(dispatch=dispatch, entity="asset", record_id="a-1", native_id="7")
    records = [
        Inbound("sink.erp.command.v1", 0, offset, b"a-1", b"v", timestamp_ms=int((now.timestamp() - age_secs) * 1000))
        for offset, age_secs in enumerate((50, 86_400, 3))
    ]
    meter.unsettled((record, command) for record in records)
    assert metrics.value("tieline_oldest_command_age_seconds", target="erp") == 86_400.0
    meter.unsettled([(records[2], command)])
    assert metrics.value("tieline_oldest_command_age_seconds", target="erp") == 3.0
    meter.unsettled(())
    assert metrics.value("tieline_oldest_command_age_seconds", target="erp") == 0.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"tl_changed_at_ms": b"1700000000000"}, 1_700_000_000_000),
        ({}, None),
        ({"tl_changed_at_ms": b"yesterday"}, None),
        ({"tl_changed_at_ms": b"9" * 400}, None),
        ({"tl_changed_at_ms": b"9" * 14}, None),  # no calendar has it
        ({"tl_changed_at_ms": "١٢".encode()}, None),
        ({"tl_changed_at_ms": b"1700000000000", "tl_replay_of": b"sink.erp.command.v1/0/1"}, None),
    ],
)
def test_the_time_of_a_change_is_believed_only_as_a_time_and_never_of_a_replay(
    headers: dict[str, bytes], expected: int | None
) -> None:
    record = Inbound("sink.erp.command.v1", 0, 9, b"k", b"v", tuple(headers.items()))
    assert changed_ms(record) == expected


@pytest.mark.parametrize(("text", "port"), [(None, 9465), ("", 9465), ("0", 0), ("9999", 9999)])
def test_the_environment_overrides_the_landscapes_port(text: str | None, port: int) -> None:
    environ = {} if text is None else {"TIELINE_METRICS_PORT": text}
    assert chosen_port("accept", {"accept": 9465}, environ) == port
    assert chosen_port("route", {}, {}) == 0


@pytest.mark.parametrize("text", ["65536", "-1", "http", "١٢"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Stop, match="TIELINE_METRICS_PORT"):
        chosen_port("accept", {}, {"TIELINE_METRICS_PORT": text})


def fetch(port: int, path: str = "/metrics") -> tuple[int, str, str]:
    """Status, content type and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, "", ""


def until(holds: Callable[[], bool], secs: float = 5.0) -> bool:
    """Whether it comes to hold in time."""
    deadline = time.monotonic() + secs
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_metrics_are_served_on_their_path_until_closed(port: int) -> None:
    metrics = Metrics()
    metrics.count(Measure.SOURCE_FAILURES, system="am")
    server = MetricsServer(metrics, port, Log("bench"))
    server.start()
    assert until(lambda: listens(port))
    status, kind, body = fetch(port)
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert 'tieline_source_failures_total{system="am"} 1.0' in body
    assert fetch(port, "/")[0] == 404
    server.close()
    assert not listens(port)


def test_an_asker_that_says_nothing_does_not_keep_the_next_one_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposing._Handler, "timeout", 0.2)
    server = MetricsServer(Metrics(), port, Log("bench"))
    server.start()
    assert until(lambda: listens(port))
    with socket.create_connection(("127.0.0.1", port)):
        assert fetch(port)[0] == 200
    server.close()


def test_a_taken_port_is_said_once_and_used_when_it_is_free(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposing, "RETRY_SECS", 0.05)
    told: list[str] = []
    log = Log("bench")
    monkeypatch.setattr(log, "warning", lambda event, **_: told.append(event))
    first = MetricsServer(Metrics(), port, Log("first"))
    first.start()
    assert until(lambda: listens(port))
    second = MetricsServer(Metrics(), port, log)
    second.start()
    assert until(lambda: told == ["metrics-not-served"])
    first.close()
    assert until(lambda: listens(port))
    assert fetch(port)[0] == 200
    second.close()
    assert told == ["metrics-not-served"]


def test_without_a_port_nothing_is_served() -> None:
    server = MetricsServer(Metrics(), 0, Log("bench"))
    server.start()
    assert not server._thread.is_alive()
    server.close()


RECORDED = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
RECORDED_MS = 1_767_268_800_000
SEC_MS = 1000


@pytest.mark.parametrize(
    ("read_before_ms", "captured_ms", "expected_ms"),
    [
        (RECORDED_MS - 9 * SEC_MS, RECORDED_MS + 2 * SEC_MS, RECORDED_MS),
        (None, RECORDED_MS + 2 * SEC_MS, RECORDED_MS + 2 * SEC_MS),  # a first load
        (RECORDED_MS + SEC_MS, RECORDED_MS + 2 * SEC_MS, RECORDED_MS + SEC_MS),  # committed late, or its clock is slow
        (RECORDED_MS - 9 * SEC_MS, RECORDED_MS - SEC_MS, RECORDED_MS - SEC_MS),  # its clock is fast
    ],
)
def test_a_change_began_when_its_system_says_within_the_reads_around_it(
    read_before_ms: int | None, captured_ms: int, expected_ms: int
) -> None:
    before = () if read_before_ms is None else ((READ_BEFORE, str(read_before_ms).encode()),)
    raw = Inbound("src.am.raw.v1", 0, 9, b"am/1", b"{}", before, captured_ms)
    origin = Origin(system="am", entity="asset", native_id="1", source_version="1", recorded_at=RECORDED)
    report = AssetReport(origin=origin, fields=AssetFields())
    assert began_headers(raw, report) == {"tl_changed_at_ms": str(expected_ms)}
    replayed = dataclasses.replace(raw, headers=(*before, ("tl_replay_of", b"src.am.raw.v1/0/1")))
    assert began_headers(replayed, report) == {}


def test_a_record_that_was_sent_again_passes_no_time_on() -> None:
    headers = (("tl_changed_at_ms", b"1700000000000"),)
    record = Inbound("asset.asset.event.v1", 0, 9, b"k", b"v", headers)
    assert pass_on(record) == {"tl_changed_at_ms": "1700000000000"}
    assert pass_on(dataclasses.replace(record, headers=(*headers, ("tl_replay_of", b"a/0/1")))) == {}
