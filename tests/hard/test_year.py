"""A synthetic organisation's year through identify, accept and route as real processes on real Kafka, three times.

As it happened; the same once more under new event ids, which may add no event (T02); and on a clean broker shuffled,
with a fifth of it twice. Each time the hub must hold what the labels say by construction, to 0.00, and bury nothing.

The suite runs a small organisation and a few months; ``make year ASSETS=50000`` runs the whole. ``TIELINE_SYNTHETIC_``
``ASSETS``, ``_MONTHS``, ``_BOOK_REPORTS`` (12, 4 or 1 a year) and ``_SEED`` choose another one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from tests.parts.emptying import empty
from tests.parts.estate import TIELINE
from tests.parts.organisation import OFTEN

from tieline.kernel import broker
from tieline.kernel.applying import apply, plan
from tieline.kernel.records import Inbound
from tieline.stack.parts import KafkaPart, Part, RegistryPart
from tieline.synthetic.checking import differences
from tieline.synthetic.estate import landscape_text
from tieline.synthetic.labels import Summary
from tieline.synthetic.sending import PROCESSORS, Sent, count_events, read_hub, send
from tieline.synthetic.shape import Rates, Shape
from tieline.synthetic.showing import show_differences
from tieline.synthetic.totals import summarise
from tieline.synthetic.year import Arrival, Year, make_year, outbound
from tieline.wiring import Hub, open_hub

pytestmark = [pytest.mark.integration, pytest.mark.timeout(6 * 3_600)]

ASSETS = int(os.environ.get("TIELINE_SYNTHETIC_ASSETS", "40"))
SMALL = ASSETS < 1_000  # a small organisation is a short one, in which everything happens often
MONTHS = int(os.environ.get("TIELINE_SYNTHETIC_MONTHS", "3" if SMALL else "12"))
BOOK_REPORTS = int(os.environ.get("TIELINE_SYNTHETIC_BOOK_REPORTS", "12"))
SEED = int(os.environ.get("TIELINE_SYNTHETIC_SEED", "2"))
SHAPE = Shape(
    assets=ASSETS, seed=SEED, months=MONTHS, book_reports_a_year=BOOK_REPORTS, rates=OFTEN if SMALL else Rates()
)
IDLE_SECS = 300.0


@dataclass
class Line:
    """A hub of its own broker: identify, accept and route."""

    hub: Hub
    year: Year
    summary: Summary

    def pass_through(self, name: str, arrival: Arrival) -> None:
        """Send the year in this arrival and check what the hub holds."""
        tell(f"\n{name}")
        told = ((one.chapter.name, outbound(one.report, arrival.mint)) for one in self.year.reports(arrival))
        sent = send(self.hub, told, tell_chapter, timeout_secs=IDLE_SECS)
        began = time.monotonic()
        found = list(differences(self.year.labels(), self.summary, read_hub(self.hub)))
        tell(f"{name}: {throughput(sent)}; compared in {time.monotonic() - began:.1f} s")
        if found:
            pytest.fail(f"{name}: {show_differences(found)}", pytrace=False)
        assert self.dead_letters() == 0

    def dead_letters(self) -> int:
        """Everything that any consumer buried."""
        buried: list[Inbound] = []
        topics = [topic.name for topic in self.hub.topics.values() if topic.klass == "dead-letter"]
        broker.read_to_end(self.hub.landscape.kafka, topics, buried.append)
        return len(buried)


def throughput(sent: list[Sent]) -> str:
    """How many reports, how fast, and the chapter that took longest."""
    reports, secs = sum(one.reports for one in sent), sum(one.secs for one in sent)
    longest = max(sent, key=lambda one: one.secs)
    return (
        f"{reports} reports in {secs:.1f} s, {reports / secs:.0f} a second, {len(sent)} chapters; "
        f"{longest.chapter} with {longest.reports} took {longest.secs:.1f} s"
    )


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201  - the figures are what this test is for


def tell_chapter(sent: Sent) -> None:
    """A line a chapter: a large year takes hours, and who waits wants to see it move."""
    if not SMALL:
        tell(f"  {sent.chapter}: {sent.reports} reports in {sent.secs:.1f} s, {sent.reports / sent.secs:.0f} a second")


@contextmanager
def running(folder: Path, kafka: KafkaPart, registry: RegistryPart, year: Year, summary: Summary) -> Iterator[Line]:
    """The processors on a broker without topics, with the year's own landscape."""
    folder.mkdir()
    path = folder / "landscape.yaml"
    landscape = yaml.safe_load(landscape_text())
    landscape["kafka"]["bootstrap_servers"] = kafka.bootstrap
    landscape["registry"]["url"] = registry.url
    path.write_text(yaml.safe_dump(landscape), encoding="utf-8")
    hub, parts = open_hub(path), list[Part]()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    with SchemaRegistryClient({"url": registry.url}) as client:
        apply(plan(hub.landscape, admin, client), admin, client)
    try:
        for name in PROCESSORS:
            parts.append(start_part(name, folder, path))
        yield Line(hub, year, summary)
    finally:
        for part in parts:
            part.stop()
        hub.close()


def start_part(name: str, folder: Path, landscape: Path) -> Part:
    log = folder / f"{name}.log"
    part = Part(
        name=name,
        argv=[str(TIELINE), "run", name, "--landscape", str(landscape)],
        log=log,
        is_ready=lambda: log.is_file() and b'"started"' in log.read_bytes(),
    )
    part.start()
    return part


def test_a_year_ends_as_its_labels_say(
    tmp_path: Path, empty_kafka: KafkaPart, registry_part: RegistryPart, capsys: pytest.CaptureFixture[str]
) -> None:
    year = make_year(SHAPE)
    summary = summarise(year, year.labels(), 0)
    with capsys.disabled():
        with running(tmp_path / "told", empty_kafka, registry_part, year, summary) as line:
            line.pass_through("as it happened", Arrival())
            events = count_events(line.hub)
            line.pass_through("once more under new event ids", Arrival(mint="/2"))
            assert count_events(line.hub) == events
        empty(empty_kafka.bootstrap)
        with running(tmp_path / "shuffled", empty_kafka, registry_part, year, summary) as line:
            arrival = Arrival("shuffled", duplicates_percent=20, mint="/3")
            line.pass_through("shuffled, a fifth of it twice", arrival)
