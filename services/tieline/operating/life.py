"""The life of one asset, from the log: who reported what, what the hub made of it, what each target was told and said.

Topics are keyed, so only the partitions of the asset's own keys are read, and of those the newest part.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tieline.kernel.asset_records import AssetState
from tieline.kernel.book_records import BookState
from tieline.kernel.cost_records import CostState
from tieline.kernel.errors import Rejected
from tieline.kernel.fleet import consumers
from tieline.kernel.inspecting import LogReader, Where, Window, read_latest, read_rows, read_spans, read_windows
from tieline.kernel.letters import PARKED, read_book
from tieline.kernel.memory import Conflict, Drift, LedgerEntry, ParkedKey, PeriodHold, XRef
from tieline.kernel.partitioning import partition_of
from tieline.kernel.records import Inbound
from tieline.kernel.settling import aggregate_of
from tieline.kernel.topic_names import LEDGER, PERIOD_HOLDS, commands_of, results_of
from tieline.operating.finding import ASSET_ENTITIES, ASSETS, LINKS
from tieline.operating.telling import Told, tell

SCAN_OFFSETS = 50_000  # newest offsets looked at, by partition
LETTERS = 1000
_ORDER = ("report", "decision", "identified", "event", "posting", "cost", "command", "result", "ledger")
_STATE_TOPICS = {"drift": "recon.drift.state.v1", "conflict": "hub.conflict.state.v1"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. ``where`` is ``topic/partition/offset``, or the key of a state row."""

    at: dt.datetime
    kind: str
    system: str
    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Life:
    """One asset: its ids in every system, what happened in order of time, and what could not be seen."""

    asset_id: str
    state: AssetState | None
    links: Sequence[XRef]
    steps: Sequence[Step]
    notes: Sequence[str]


@dataclass(slots=True)
class _Found:
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_life(log: LogReader, asset_id: str) -> Life:
    """The life of the asset of this canonical id. Reads only; blocks for some seconds."""
    state = read_rows(log, ASSETS, AssetState, keys=[asset_id]).get(asset_id)
    needle = asset_id.encode()
    links = [
        row
        for row in read_rows(log, LINKS, XRef, needle=needle).values()
        if asset_id == row.canonical_id or asset_id in row.merged_from
    ]
    costs = [
        row
        for one in sorted(own_ids(asset_id, links))
        for row in read_rows(log, "cost.document.state.v1", CostState, needle=one.encode()).values()
        if row.asset_id == one
    ]
    found = _Found()
    wanted = keys_by_topic(log, asset_id, links, costs)
    _read_log(log, wanted, found)
    books = list(read_rows(log, "asset.book.state.v1", BookState, needle=needle))
    _read_deliveries(log, delivery_keys(log.landscape.systems, asset_id, books, costs), found)
    _read_parked(log, [asset_id, *(cost.cost_doc_id for cost in costs)], found)
    _read_findings(log, asset_id, needle, found)
    found.steps += [tell_hold(key, row) for key, row in read_rows(log, PERIOD_HOLDS, PeriodHold, needle=needle).items()]
    _read_letters(log, set().union(*wanted.values()), found)
    order = {kind: at for at, kind in enumerate(_ORDER)}
    steps = sorted(found.steps, key=lambda step: (step.at, order.get(step.kind, len(order)), step.where))
    return Life(asset_id, state, sorted(links, key=lambda row: (row.system, row.linked_at)), steps, found.notes)


def own_ids(asset_id: str, links: Iterable[XRef]) -> frozenset[str]:
    """The asset's id, and those of the assets that were merged into it: what was accepted before stays with its id."""
    merged = (one for row in links if row.canonical_id == asset_id for one in row.merged_from)
    return frozenset({asset_id, *merged})


def keys_by_topic(
    log: LogReader, asset_id: str, links: Iterable[XRef], costs: Iterable[CostState]
) -> dict[str, set[str]]:
    """Which keys of which topics speak of an asset."""
    documents = list(costs)
    ids = {asset_id, *(cost.cost_doc_id for cost in documents)}
    wanted = {
        "asset.asset.report.v1": {f"{row.system}/{row.native_id}" for row in links if row.entity in ASSET_ENTITIES},
        "cost.document.report.v1": {f"{cost.origin_system}/{cost.origin_native_id}" for cost in documents},
        # Book reports are keyed by asset and book; what identify made of them stands under the asset.
        "hub.identified.report.v1": ids,
        "asset.asset.event.v1": {asset_id},
        "asset.book.event.v1": {asset_id},
        "depreciation.posting.event.v1": {asset_id},
        "asset.movement.event.v1": {asset_id},
        "asset.audit.event.v1": {asset_id},
        "cost.document.event.v1": ids - {asset_id},
    }
    for system in log.landscape.systems:
        wanted[commands_of(system)] = ids
        wanted[results_of(system)] = ids
    return wanted


def _read_log(log: LogReader, wanted: Mapping[str, set[str]], found: _Found) -> None:
    wheres = {(topic, partition_of(key, log.partitions[topic])) for topic, keys in wanted.items() for key in keys}
    spans = read_spans(log, wheres)
    windows: dict[Where, Window] = {where: span.tail(SCAN_OFFSETS) for where, span in spans.items()}
    oldest: dict[Where, int] = {}

    def take(record: Inbound) -> None:
        oldest.setdefault((record.topic, record.partition), record.timestamp_ms)
        if record.key_text in wanted[record.topic]:
            found.steps.append(_step(log, record))

    read_windows(log, windows, take)
    for where, window in sorted(windows.items()):
        if window.start == 0:
            continue
        since = f"before {_at(oldest[where]):%Y-%m-%d %H:%M} UTC" if where in oldest else f"before offset {window.end}"
        why = "was not looked at" if window.cut else "is no longer kept"
        found.notes.append(f"{where[0]}/{where[1]}: what was written {since} {why}")


def _step(log: LogReader, record: Inbound) -> Step:
    try:
        told = tell(log.codec.decode(record.topic, record.value or b""), record)
    except Rejected as rejection:
        told = Told("unreadable", "", str(rejection))
    return Step(_at(record.timestamp_ms), told.kind, told.system, told.what, record.coordinates)


def delivery_keys(systems: Iterable[str], asset_id: str, books: Iterable[str], costs: Iterable[CostState]) -> list[str]:
    """Keys of the ledger rows that speak of an asset; ``books`` are keys ``asset id|book id``, of any assets."""
    records = [("asset", asset_id), *(("book", key) for key in books if key.startswith(f"{asset_id}|"))]
    records += [("cost-document", cost.cost_doc_id) for cost in costs]
    return [f"{system}/{entity}/{record}" for system in systems for entity, record in records]


def _read_deliveries(log: LogReader, keys: Sequence[str], found: _Found) -> None:
    for key, entry in read_rows(log, LEDGER, LedgerEntry, keys=keys, partition_by=aggregate_of).items():
        number = f", number {entry.number}" if entry.number else ""
        reason = f": {entry.reason}" if entry.reason else ""
        what = f"{entry.entity} {entry.stage} v{entry.version}, holds v{entry.applied_version}"
        what += f", id {entry.native_id or 'unknown'}{number}{reason}"
        found.steps.append(Step(entry.at, "ledger", entry.target, what, key))


def _read_parked(log: LogReader, ids: Sequence[str], found: _Found) -> None:
    lanes = [f"{system}/key/{one}" for system in log.landscape.systems for one in ids]
    for key, row in read_rows(log, PARKED, ParkedKey, keys=lanes, partition_by=aggregate_of).items():
        what = f"parked with {len(row.letters)} letter(s): {row.reason}"
        found.steps.append(Step(row.since, "parked", row.target, what, key))


def _read_findings(log: LogReader, asset_id: str, needle: bytes, found: _Found) -> None:
    for kind, topic in _STATE_TOPICS.items():
        for key, record in read_latest(log, topic, needle=needle).items():
            body = log.codec.decode(topic, record.value or b"").body
            if not isinstance(body, Drift | Conflict) or body.canonical_id != asset_id:
                continue
            told = tell_finding(body)
            found.steps.append(Step(_at(record.timestamp_ms), kind, body.system, told, f"{topic}: {key}"))


def tell_finding(finding: Drift | Conflict) -> str:
    """A difference in words."""
    if isinstance(finding, Conflict) and finding.owner == finding.system:
        # Its own documents contradict each other: nobody else said anything.
        return f"{finding.field}: {finding.foreign_value}, against {finding.owned_value}"
    if isinstance(finding, Conflict):
        values = f"says {finding.foreign_value!r}, {finding.owner} owns it and says {finding.owned_value!r}"
        why = f": {finding.reason}" if finding.reason else ""
        return f"{finding.field}: {values}{why}" + (f" ({finding.remedy})" if finding.remedy else "")
    field_name = f" {finding.field}" if finding.field else ""
    values = f": expected {finding.expected!r}, found {finding.found!r}" if finding.field else ""
    cause = f" ({finding.cause})" if finding.cause else ""
    return f"{finding.kind} {finding.entity}{field_name}{values}{cause}"


def tell_hold(key: str, row: PeriodHold) -> Step:
    """A report that waits for a fiscal period (Invariant 10) or a cost centre, in words."""
    report = row.asset or row.cost
    system = report.origin.system if report else ""
    record = f"{report.origin.entity} {report.origin.native_id}" if report else row.canonical_id
    return Step(row.since, "held", system, f"{record} of {row.effective_date}: {row.reason}", key)


def _read_letters(log: LogReader, keys: set[str], found: _Found) -> None:
    book = read_book(log, consumers(log.landscape), LETTERS)
    for letter in book.letters:
        if letter.record.key_text in keys:
            what = f"{book.stands(letter)}, attempt {letter.attempt}: {letter.reason}"
            found.steps.append(Step(letter.failed_at, "dead letter", letter.consumer, what, letter.letter_id))
    if book.cut:
        found.notes.append(f"only the newest {LETTERS} dead letters were looked at")


def _at(millis: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(millis / 1000, tz=dt.UTC)
