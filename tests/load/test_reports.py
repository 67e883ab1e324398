"""K07: many asset reports through the hub's real processes into the UNIO24 sandbox.

The suite runs 2,000 reports; ``TIELINE_LOAD=50000`` runs the whole. Seven of ten reports are of new assets, the others
later versions of assets that are known by then. Afterwards the sandbox must hold each asset once, in its last version,
its journal must tell versions of an asset in order only, and the hub must have dead-lettered nothing. A version that
waits at the sink while a newer one comes is passed over (kernel/coalescing.py): not every version is told.

Memory: identify, accept, route and the sink keep what they know of every asset (some kilobytes each, by design). What
must not grow is what passes: the last part of the load only changes known assets, and must leave memory where it was.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.parts.estate import DEMO_LANDSCAPE, ROOT, TIELINE
from tests.parts.unio24 import TOKEN, Unio24Part, start_unio24

from tieline.kernel import broker
from tieline.kernel.applying import apply, plan
from tieline.kernel.asset_records import AssetFields, AssetReport, FinancialStatus
from tieline.kernel.producing import Writer
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.vocabulary import Money, Origin
from tieline.stack.parts import KafkaPart, Part, RegistryPart
from tieline.wiring import Hub, open_hub

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]

REPORTS = int(os.environ.get("TIELINE_LOAD", "2000"))
SEED = 7
TRANSACTION_RECORDS = 1_000
PROCESSES = ("identify", "accept", "route", "sink-unio24")
# The stated limit: 50,000 reports within 25 minutes, with the whole estate on two cores.
LEAST_PER_SEC = 33
STATE_KB_PER_ASSET = 12
# What passes may cost no memory: the allowance is for the allocator's slack and the client's buffers.
SLACK_MB = 24


@dataclass(frozen=True, slots=True)
class Version:
    """What the ERP says of an asset at one time; versions count from 1."""

    asset: int
    number: int

    @property
    def cost(self) -> Decimal:
        """Different for every version of an asset, to the cent."""
        return Decimal(1_000 + self.asset) + Decimal(self.number) / 100

    def outbound(self) -> Outbound:
        """The report of it."""
        origin = Origin(
            system="tryton",
            entity="asset",
            native_id=str(self.asset),
            source_version=str(self.number),
            recorded_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.number),
        )
        fields = AssetFields(
            description=f"Pump {self.asset}",
            asset_number=str(self.asset),
            company="ACME",
            asset_class="MACHINE",
            acquisition_cost=Money(amount=self.cost, currency="EUR"),
            acquisition_date=dt.date(2026, 2, 1),
            in_service_date=dt.date(2026, 2, 10),
            financial_status=FinancialStatus.RUNNING,
        )
        body = AssetReport(origin=origin, fields=fields)
        return Outbound("asset.asset.report.v1", f"tryton/{self.asset}", Typed("AssetReport", body))


@dataclass(frozen=True, slots=True)
class Load:
    """Parts of a load: new assets mixed with later versions of them, then, in two parts, only later versions."""

    growing: Sequence[Version]
    settling: Sequence[Version]
    steady: Sequence[Version]
    last: Mapping[int, Version]

    @property
    def versions(self) -> Sequence[Version]:
        """All of them, within an asset in order."""
        return [*self.growing, *self.settling, *self.steady]


def make_load(reports: int, seed: int) -> Load:
    """Seven tenths new assets, the other reports later versions; within an asset in order, across them shuffled."""
    dice = random.Random(seed)  # noqa: S311  - reproducible data, no secrets
    assets = reports * 7 // 10
    mixed = list(range(assets)) + dice.choices(range(assets), k=(reports - assets) // 2)
    dice.shuffle(mixed)
    later = dice.choices(range(assets), k=reports - len(mixed))
    numbers = dict.fromkeys(range(assets), 0)

    def numbered(asset: int) -> Version:
        numbers[asset] += 1
        return Version(asset, numbers[asset])

    growing, rest = [numbered(asset) for asset in mixed], [numbered(asset) for asset in later]
    settling = rest[: len(rest) // 3]
    return Load(growing, settling, rest[len(settling) :], {version.asset: version for version in (*growing, *rest)})


class Journal:
    """The sandbox's record of every accepted change to an asset, read on as it grows."""

    def __init__(self, unio24: Unio24Part) -> None:
        self._http = httpx.Client(
            base_url=unio24.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False
        )
        self._last = 0
        self.costs: dict[int, list[Decimal]] = {}
        self.references: dict[int, str] = {}
        self.numbers: dict[int, int] = {}
        self.created = 0
        self.changes = 0

    def held(self) -> Mapping[int, Decimal]:
        """Take in what is new; what each asset costs by now."""
        while items := self._http.get(f"/_journal?after={self._last}&limit=5000").raise_for_status().json()["items"]:
            self._last = items[-1]["seq"]
            for entry in items:
                self._take(entry["action"], entry["object_id"], entry["detail"])
        return {self.numbers[record]: costs[-1] for record, costs in self.costs.items()}

    def _take(self, action: str, record: int, detail: Mapping[str, str]) -> None:
        self.changes += 1
        if action == "created":
            self.created += 1
            self.references[record] = detail["external_ref"]
            self.numbers[record] = int(detail["erp_asset_number"])
        self.costs.setdefault(record, []).append(Decimal(detail["purchase_cost"]))

    def stats(self) -> dict[str, Any]:
        """The sandbox's own counts and sums."""
        found: dict[str, Any] = self._http.get("/_stats").raise_for_status().json()
        return found

    def close(self) -> None:
        """Sign out."""
        self._http.close()


@dataclass
class Line:
    """The hub's four processes between a topic and the sandbox. ``peak`` is the most memory seen of each (MB)."""

    hub: Hub
    parts: Mapping[str, Part]
    journal: Journal
    peak: dict[str, float] = field(default_factory=dict)

    def send(self, versions: Sequence[Version]) -> float:
        """Produce reports in transactions; how long it took (seconds)."""
        began = time.monotonic()
        kafka = self.hub.landscape.kafka
        producer = broker.start_producer(kafka, "load", lambda: False, on_wait=print)
        writer = Writer("load", self.hub.codec, self.hub.partitions, lambda: dt.datetime.now(dt.UTC))
        for start in range(0, len(versions), TRANSACTION_RECORDS):
            producer.begin_transaction()
            for ordinal, version in enumerate(versions[start : start + TRANSACTION_RECORDS]):
                writer.write(producer, version.outbound(), None, ordinal)
            producer.commit_transaction(30)
        return time.monotonic() - began

    def until(self, versions: Sequence[Version], deadline: float) -> None:
        """Wait until the sandbox holds the last of these versions of each asset, sampling memory."""
        wanted = {version.asset: version.cost for version in versions}
        while (missing := sum(self.journal.held().get(asset) != cost for asset, cost in wanted.items())) > 0:
            for name, now_mb in self.resident().items():
                self.peak[name] = max(self.peak.get(name, 0.0), now_mb)
            if time.monotonic() > deadline:
                raise AssertionError(f"{missing} of {len(wanted)} assets were not there by the stated limit")
            time.sleep(1.0)

    def resident(self) -> dict[str, float]:
        """Memory of each process now (MB)."""
        return {name: resident_mb(part.pid) for name, part in self.parts.items()}

    def dead_letters(self) -> list[Inbound]:
        """Everything that any consumer buried."""
        found: list[Inbound] = []
        topics = [topic.name for topic in self.hub.topics.values() if topic.klass == "dead-letter"]
        broker.read_to_end(self.hub.landscape.kafka, topics, found.append)
        return found


def resident_mb(pid: int) -> float:
    """Resident memory of a process (MB), from the kernel's own account."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_secs(pid: int) -> float:
    """Processor time of a process so far (seconds)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tell(text: str) -> None:
    print(text)  # noqa: T201  - the figures are what a load test is for


def write_landscape(folder: Path, kafka: KafkaPart, registry: RegistryPart, unio24: Unio24Part) -> Path:
    landscape = yaml.safe_load(DEMO_LANDSCAPE.read_text(encoding="utf-8"))
    landscape["kafka"]["bootstrap_servers"] = kafka.bootstrap
    landscape["registry"]["url"] = registry.url
    landscape["metrics_port"] = 0
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    settings = landscape["systems"]["unio24"]["settings"]
    settings["endpoint"] = unio24.url
    settings["profile"] = {"path": str(ROOT / "deploy" / "local" / "unio24.profile.yaml")}
    settings["token"] = {"secret": f"file:{folder}/token"}
    for name in ("webhook_secret", "webhook_port", "webhook_callback_url"):
        settings.pop(name, None)
    path = folder / "landscape.yaml"
    path.write_text(yaml.safe_dump(landscape), encoding="utf-8")
    return path


def start_part(name: str, folder: Path, landscape: Path) -> Part:
    log = folder / f"{name}.log"
    part = Part(
        name=name,
        argv=[str(TIELINE), "run", *name.split("-"), "--landscape", str(landscape)],
        log=log,
        is_ready=lambda: log.is_file() and b'"started"' in log.read_bytes(),
    )
    part.start()
    return part


@pytest.fixture
def line(tmp_path: Path, empty_kafka: KafkaPart, registry_part: RegistryPart) -> Iterator[Line]:
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415  - only this fixture applies topics by hand
    from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415  - as above

    with start_unio24(tmp_path / "unio24") as unio24:
        path = write_landscape(tmp_path, empty_kafka, registry_part, unio24)
        hub = open_hub(path)
        admin = AdminClient({"bootstrap.servers": empty_kafka.bootstrap})
        with SchemaRegistryClient({"url": registry_part.url}) as client:
            apply(plan(hub.landscape, admin, client), admin, client)
        journal, parts = Journal(unio24), {}
        try:
            for name in PROCESSES:
                parts[name] = start_part(name, tmp_path, path)
            yield Line(hub, parts, journal)
        finally:
            for part in parts.values():
                part.stop()
            journal.close()
            hub.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_reports_arrive_once_in_order_and_in_time(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    load = make_load(REPORTS, SEED)
    deadline = time.monotonic() + max(240.0, REPORTS / LEAST_PER_SEC)
    empty = line.resident()
    cpu = {name: cpu_secs(part.pid) for name, part in line.parts.items()}

    began = time.monotonic()
    produced_secs = line.send(load.growing)
    line.until(load.growing, deadline)
    # Who follows what the sink notes is done with it a little after the sink: only now everything is known everywhere.
    produced_secs += line.send(load.settling)
    line.until([*load.growing, *load.settling], deadline)
    full = line.resident()
    produced_secs += line.send(load.steady)
    line.until(load.versions, deadline)
    took_secs = time.monotonic() - began
    after = line.resident()

    with capsys.disabled():
        tell(f"\n{REPORTS} reports of {len(load.last)} assets in {took_secs:.1f} s: {REPORTS / took_secs:.0f} a second")
        tell(
            f"  producing them took {produced_secs:.1f} s; {REPORTS - line.journal.changes} were passed over for newer"
        )
        for name, part in line.parts.items():
            cost_ms = 1000 * (cpu_secs(part.pid) - cpu[name]) / REPORTS
            tell(
                f"  {name}: {empty[name]:.0f} MB empty, {full[name]:.0f} MB with every asset, {after[name]:.0f} MB at "
                f"the end; {cost_ms:.2f} ms processor time a report"
            )
    check_state(line, load)
    assert line.dead_letters() == []
    for name in line.parts:
        assert line.peak.get(name, 0.0) < after[name] + SLACK_MB, f"{name} needed much more on the way than at the end"
        assert after[name] < full[name] + SLACK_MB, f"{name} grew on changes of known assets"
        allowed_mb = SLACK_MB + 40 + STATE_KB_PER_ASSET * len(load.last) / 1024
        assert full[name] < empty[name] + allowed_mb, f"{name} keeps too much of each asset"


def check_state(line: Line, load: Load) -> None:
    """Counts, sums and the order of every asset's versions, from the sandbox's journal and its own totals."""
    journal = line.journal
    assert journal.created == len(load.last)
    assert len(set(journal.references.values())) == len(load.last)
    assert sorted(journal.numbers.values()) == sorted(load.last)
    said: dict[int, list[Decimal]] = {}
    for version in load.versions:
        said.setdefault(version.asset, []).append(version.cost)
    for record, costs in journal.costs.items():
        versions = said.pop(journal.numbers[record])
        assert costs == [cost for cost in versions if cost in costs], "each version once, and in order"
        assert costs[-1] == versions[-1]
    assert said == {}
    assets = journal.stats()["assets"]
    assert assets["count"] == len(load.last)
    assert list(assets["purchase_cost"]) == ["EUR"]
    assert Decimal(assets["purchase_cost"]["EUR"]) == sum((version.cost for version in load.last.values()), Decimal(0))
