"""The cut: when everything the systems said has passed the processors, and what the log held then.

Waiting is by log position only. The one clock is the overall patience: past it the run concludes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from tieline.kernel.asset_records import AssetState
from tieline.kernel.audit_records import AuditState
from tieline.kernel.book_records import BookState
from tieline.kernel.cost_records import CostState
from tieline.kernel.errors import Rejected, TielineError
from tieline.kernel.kafka_log import LogRecord, Row
from tieline.kernel.memory import (
    Conflict,
    HeldReport,
    LedgerEntry,
    Observed,
    ParkedKey,
    PeriodHold,
    SystemObserved,
    XRef,
)
from tieline.kernel.records import Typed
from tieline.kernel.topic_names import IDENTIFIED, LEDGER, commands_of
from tieline.kernel.vocabulary import Model
from tieline.reconciliation.evidence import ASSET_STATE, BOOK_STATE, COST_STATE, Evidence, Placed

DRIFT_TOPIC = "recon.drift.state.v1"
REPORT_TOPICS = (
    "asset.asset.report.v1",
    "asset.book.report.v1",
    "procurement.purchase-order.report.v1",
    "procurement.receipt.report.v1",
    "procurement.invoice.report.v1",
    "cost.document.report.v1",
)
EVENT_TOPICS = (
    "asset.asset.event.v1",
    "asset.book.event.v1",
    "procurement.purchase-order.event.v1",
    "cost.document.event.v1",
)
LOOK_RECORDS = 1000
MOVING_TOPICS = (ASSET_STATE, BOOK_STATE, COST_STATE, LEDGER)

M = TypeVar("M", bound=Model)


class Inconclusive(TielineError):
    """Nothing can be concluded from this run (Invariant 12); mend what the message names and run again."""


class Log(Protocol):
    """Kafka, read at positions. Positions are ``"topic/partition"`` to the next offset.

    Everything is read committed: records of open or aborted transactions are not seen, and transaction markers are no
    records although they take offsets. Calls block until answered; they raise ``Unavailable`` or ``Retryable`` when the
    broker does not answer, ``Stop`` for a topic that does not exist.
    """

    def end_offsets(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Next offset to be written of every partition of the topics, empty ones included."""
        ...

    def committed(self, consumer: str, topics: Sequence[str]) -> Mapping[str, int]:
        """Committed offset of the consumer's group on every partition of the topics; 0 where it never committed.

        ``consumer`` is the process's name (``source-tryton``, ``accept``), not the group's.
        """
        ...

    def read_table(self, topic: str) -> Mapping[str, Row]:
        """The last record of each key up to the end as of the call; tombstones may be left out.

        Raises ``Rejected`` with the record's place when a value cannot be decoded: half a table proves nothing.
        """
        ...

    def read_from(self, start: Mapping[str, int], *, limit: int | None = None) -> Sequence[LogRecord]:
        """Every record from the positions to the end as of the call, in order per partition; never waits for new ones.

        At most ``limit`` records. An offset that retention has removed means the oldest one kept.
        """
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run waits in all, and how often it looks."""

    limit_secs: float = 900.0
    step_secs: float = 0.5
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Wait:
    """One run's waiting: started once, shared by all its steps."""

    patience: Patience
    say: Callable[[str], None] = lambda _: None
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = self.patience.monotonic() + self.patience.limit_secs

    def until(self, what: str, reached: Callable[[], bool]) -> None:
        """Return when ``reached`` is true. Raises ``Inconclusive`` when the patience ends first."""
        told = False
        while not reached():
            if not told:
                self.say(f"waiting for {what}")
                told = True
            if self.patience.monotonic() >= self._deadline:
                raise Inconclusive(f"gave up after {self.patience.limit_secs:g} s waiting for {what}; is it running?")
            self.patience.sleep(self.patience.step_secs)


def observe_systems(
    log: Log, wait: Wait, run_id: str, systems: Sequence[str], start: Mapping[str, int]
) -> Mapping[str, SystemObserved]:
    """Wait until every system was read back for the run, looking from ``start``.

    Raises ``Inconclusive`` when a read was incomplete or does not say where it began.
    """
    answers: dict[str, SystemObserved] = {}
    position = dict(start)

    def all_answered() -> bool:
        for record in log.read_from(position):
            where = f"{record.topic}/{record.partition}"
            position[where] = max(position.get(where, 0), record.offset + 1)
            body = record.value.body if record.value else None
            if isinstance(body, SystemObserved) and body.run_id == run_id:
                answers.setdefault(body.system, body)
        return set(systems) <= set(answers)

    # The systems are read side by side, so the message names all; the answers that came are told by the error below.
    wait.until(f"the read-back of {', '.join(systems)}", all_answered)
    for system in systems:
        answer = answers[system]
        if not answer.complete:
            # Invariant 12: an incomplete read proves nothing.
            raise Inconclusive(f"{system} was not read completely: {answer.reason or 'no reason given'}")
    _check_began(log, {system: answers[system] for system in systems})
    return {system: answers[system] for system in systems}


def close_cut(
    log: Log, wait: Wait, observed: Mapping[str, SystemObserved], result_topics: Sequence[str]
) -> Mapping[str, int]:
    """Wait until everything the systems reported has become state and commands; returns the positions passed.

    One stage after the other: each stage's end is taken only when the stage before has passed its own.
    """
    closing: dict[str, int] = {}
    for system, answer in observed.items():
        _pass(log, wait, f"source-{system}", answer.reported, closing)
    stages = (
        ("identify", (*REPORT_TOPICS, *result_topics)),
        ("accept", (IDENTIFIED,)),
        ("route", EVENT_TOPICS),
    )
    for consumer, topics in stages:
        _pass(log, wait, consumer, log.end_offsets(topics), closing)
    return closing


def gather(log: Log, run_id: str, observed: Mapping[str, SystemObserved], closing: Mapping[str, int]) -> Evidence:
    """Read every table to its end. Raises ``Inconclusive`` when one cannot be read whole."""
    # Pending commands first: a command that settles meanwhile is then found in the ledger, which is read later.
    pending = {system: _pending(log, system) for system in observed}
    try:
        # Also before the state: what is released meanwhile is then found in both.
        period_held = _period_held(log)
        return Evidence(
            run_id=run_id,
            systems=observed,
            assets=_placed(log, ASSET_STATE, AssetState),
            books=_placed(log, BOOK_STATE, BookState),
            costs=_placed(log, COST_STATE, CostState),
            xrefs=_plain(log, "hub.xref.state.v1", XRef),
            ledger=_placed(log, LEDGER, LedgerEntry),
            observed={system: _observed(log, run_id, answer) for system, answer in observed.items()},
            parked=_plain(log, "hub.parked.state.v1", ParkedKey),
            held=_plain(log, "hub.hold.state.v1", HeldReport),
            period_held=period_held,
            conflicts=_plain(log, "hub.conflict.state.v1", Conflict),
            audits=_last_audits(log),
            pending=pending,
            closing=closing,
        )
    except Rejected as rejection:
        raise Inconclusive(f"a record cannot be read: {rejection}") from rejection


def _pass(log: Log, wait: Wait, consumer: str, upto: Mapping[str, int], closing: dict[str, int]) -> None:
    wait.until(f"{consumer} to pass {_summary(upto)}", lambda: _has_passed(log, consumer, upto))
    closing.update(upto)


def _has_passed(log: Log, consumer: str, upto: Mapping[str, int]) -> bool:
    topics = sorted({position.rsplit("/", 1)[0] for position in upto})
    done = log.committed(consumer, topics)
    behind = {where: done.get(where, 0) for where, end in upto.items() if done.get(where, 0) < end}
    # A transaction's marker takes an offset that no consumer ever commits: only records between count as work left.
    return not _is_work_left(log, behind, upto)


def _is_work_left(log: Log, behind: Mapping[str, int], upto: Mapping[str, int]) -> bool:
    """Whether a record stands between these positions and the ends; one look at all of them, since each look costs."""
    if not behind:
        return False
    seen = log.read_from(behind, limit=LOOK_RECORDS)
    if any(record.offset < upto[f"{record.topic}/{record.partition}"] for record in seen):
        return True
    # A full look shows newer records only: what it did not come to is looked at place by place.
    return len(seen) >= LOOK_RECORDS and any(
        record.offset < upto[where]
        for where, start in behind.items()
        for record in log.read_from({where: start}, limit=1)
    )


def _pending(log: Log, system: str) -> Mapping[str, str]:
    waiting: dict[str, str] = {}
    for record in log.read_from(log.committed(f"sink-{system}", [commands_of(system)])):
        waiting.setdefault(record.key, f"{record.topic}/{record.partition}/{record.offset}")
    return waiting


def _check_began(log: Log, observed: Mapping[str, SystemObserved]) -> None:
    partitions = log.end_offsets(MOVING_TOPICS)
    for system, answer in observed.items():
        unknown = sorted(set(partitions) - set(answer.began))
        if unknown:
            raise Inconclusive(f"{system}: its read does not say where it began on {unknown[0]}")


def _observed(log: Log, run_id: str, answer: SystemObserved) -> Mapping[str, Observed]:
    """The run's rows, checked against the counts of the read itself."""
    topic = f"observed.{answer.system}.record.state.v1"
    rows = {key: row for key, row in _plain(log, topic, Observed).items() if row.run_id == run_id}
    counts: dict[str, int] = {}
    for row in rows.values():
        counts[row.entity] = counts.get(row.entity, 0) + 1
    for entity in sorted({*counts, *answer.counts}):
        there, read = counts.get(entity, 0), answer.counts.get(entity, 0)
        if there != read:
            # Invariant 12: rows of this run that are not there were overwritten or lost; nothing is claimed.
            raise Inconclusive(
                f"{answer.system}: {read} {entity} records were read but {topic} holds {there} of this run; "
                "did another run start meanwhile?"
            )
    return rows


def _placed(log: Log, topic: str, kind: type[M]) -> Mapping[str, Placed[M]]:
    return {
        key: Placed(_body(topic, key, row.value, kind), row.partition, row.offset)
        for key, row in log.read_table(topic).items()
        if row.value is not None
    }


def _period_held(log: Log) -> Mapping[str, PeriodHold]:
    rows = _plain(log, "hub.period-hold.state.v1", PeriodHold)
    found: dict[str, PeriodHold] = {}
    for _, row in sorted(rows.items()):
        report = row.asset or row.cost
        if report is not None:
            origin = report.origin
            found.setdefault(f"{origin.system}/{origin.entity}/{origin.native_id}", row)
    return found


def _last_audits(log: Log) -> Mapping[str, AuditState]:
    rows = _plain(log, "asset.audit.state.v1", AuditState).values()
    in_order = sorted(rows, key=lambda row: (row.fields.audited_on, row.recorded_at, row.origin_native_id))
    return {row.asset_id: row for row in in_order if row.asset_id is not None}


def _plain(log: Log, topic: str, kind: type[M]) -> Mapping[str, M]:
    return {key: placed.row for key, placed in _placed(log, topic, kind).items()}


def _body(topic: str, key: str, value: Typed, kind: type[M]) -> M:
    if not isinstance(value.body, kind):
        raise Rejected(f"{topic}: {key} is a {value.name}, not a {kind.__name__}")
    return value.body


def _summary(positions: Mapping[str, int]) -> str:
    topics: Iterable[str] = sorted({where.rsplit("/", 1)[0] for where in positions})
    return ", ".join(topics)
