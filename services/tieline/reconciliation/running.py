"""One run from request to result: asked for, read back, cut, compared, recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.drift_records import DriftCleared, DriftDetected
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Drift, DriftKind, RunFinished, RunRequested
from tieline.kernel.ownership import load_ownership
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.topic_names import RUN_TOPIC, results_of
from tieline.reconciliation.compare import Comparison, compare
from tieline.reconciliation.cut import (
    DRIFT_TOPIC,
    Inconclusive,
    Log,
    Patience,
    Wait,
    close_cut,
    gather,
    observe_systems,
)
from tieline.reconciliation.evidence import Evidence
from tieline.reconciliation.scope import Dialects, Held, Scope

DRIFT_EVENTS = "recon.drift.event.v1"
_NO_DRIFT = frozenset({None, DriftKind.IN_FLIGHT, DriftKind.SCHEDULE})

Publish = Callable[[Sequence[Outbound]], None]
"""Writes all records in one transaction; returns when they are durable, raises when they are not."""


def new_run_id() -> str:
    """An id nobody used before."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Hub:
    """What a run works with. ``held`` and ``dialects`` are what the connectors of its systems declare."""

    log: Log
    publish: Publish
    landscape: Landscape
    held: Held
    patience: Patience = field(default_factory=Patience)
    clock: Clock = utc_now
    run_id: Callable[[], str] = new_run_id
    say: Callable[[str], None] = lambda _: None
    dialects: Dialects = field(default_factory=dict)

    def scope(self) -> Scope:
        """The landscape's promises. Raises ``Stop`` when a declared field does not exist."""
        for system, fields in self.held.items():
            unknown = sorted(fields - set(AssetFields.model_fields))
            if unknown:
                raise Stop(f"{system}: objects.asset.fields names {unknown[0]!r}, which is no field of an asset")
        return Scope(
            self.landscape, load_ownership(self.landscape.ownership), self.held, self.clock().date(), self.dialects
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. Without a comparison it is inconclusive, and ``reason`` says why."""

    finished: RunFinished
    comparison: Comparison | None = None
    evidence: Evidence | None = None
    reason: str | None = None


def reconcile(hub: Hub, systems: Sequence[str] = ()) -> Result:
    """Run once over these systems (all of the landscape's when none are named) and record the outcome in Kafka.

    Blocks until the read-backs are done, at most ``hub.patience``. Raises ``Stop`` for a system that does not exist.
    """
    wanted = _systems(hub.landscape, systems)
    scope = hub.scope()
    run_id = hub.run_id()
    start = hub.log.end_offsets([RUN_TOPIC])
    request = RunRequested(run_id=run_id, systems=wanted, requested_at=hub.clock())
    hub.publish([Outbound(RUN_TOPIC, run_id, Typed("RunRequested", request))])
    wait = Wait(hub.patience, hub.say)
    results = [results_of(system) for system in hub.landscape.systems]
    try:
        observed = observe_systems(hub.log, wait, run_id, wanted, start)
        closing = close_cut(hub.log, wait, observed, results)
        evidence = gather(hub.log, run_id, observed, closing)
    except Inconclusive as error:
        finished = _finished(hub, run_id, None)
        hub.publish([_event(finished)])
        return Result(finished, reason=str(error))
    comparison = compare(evidence, scope)
    finished = _finished(hub, run_id, comparison)
    hub.publish([*_drift_rows(hub, comparison, wanted, finished), _event(finished)])
    return Result(finished, comparison, evidence)


def last_run(log: Log) -> tuple[RunFinished | None, Sequence[Drift]]:
    """The last run that ended, and the differences open now, in a stable order."""
    start = dict.fromkeys(log.end_offsets([RUN_TOPIC]), 0)
    ended = [r.value.body for r in log.read_from(start) if r.value and isinstance(r.value.body, RunFinished)]
    return (ended[-1] if ended else None), open_drifts(log)


def open_drifts(log: Log) -> Sequence[Drift]:
    """The differences open now, in a stable order."""
    bodies = [row.value.body for row in log.read_table(DRIFT_TOPIC).values() if row.value is not None]
    drifts = [body for body in bodies if isinstance(body, Drift)]
    return sorted(drifts, key=lambda d: (d.system, d.entity, d.canonical_id or "", d.native_id or "", d.field or ""))


def _systems(landscape: Landscape, systems: Sequence[str]) -> tuple[str, ...]:
    unknown = [system for system in systems if system not in landscape.systems]
    if unknown:
        raise Stop(f"there is no system {unknown[0]!r}; the landscape has {', '.join(sorted(landscape.systems))}")
    return tuple(sorted(set(systems) or landscape.systems))


def _drift_rows(hub: Hub, comparison: Comparison, systems: Sequence[str], finished: RunFinished) -> list[Outbound]:
    """Rows and events of this run, tombstones for what is over; what it did not look at stays as it is."""
    found = {finding.drift.drift_id: finding.drift for finding in comparison.findings}
    checked = {check.system for check in comparison.schedule_checks}
    before = {drift.drift_id: drift for drift in open_drifts(hub.log)}
    over = [
        drift
        for drift in before.values()
        if drift.system in (checked if drift.kind is DriftKind.SCHEDULE else systems) and drift.drift_id not in found
    ]
    rows = [Outbound(DRIFT_TOPIC, key, Typed("Drift", drift)) for key, drift in found.items()]
    tombstones = [Outbound(DRIFT_TOPIC, drift.drift_id, None) for drift in over]
    after = {key: drift for key, drift in before.items() if drift not in over} | found
    return [*rows, *tombstones, *_drift_events(before, after, finished)]


def _drift_events(before: Mapping[str, Drift], after: Mapping[str, Drift], finished: RunFinished) -> Iterator[Outbound]:
    """What became drift in this run and what is none any more; what is under way or mere advice is no drift."""
    run_id, at = finished.run_id, finished.finished_at
    for drift in after.values():
        if drift.kind not in _NO_DRIFT and _kind_of(before, drift) in _NO_DRIFT:
            detected = DriftDetected(run_id=run_id, drift=drift, detected_at=at)
            yield Outbound(DRIFT_EVENTS, drift.drift_id, Typed("DriftDetected", detected))
    for drift in before.values():
        if drift.kind not in _NO_DRIFT and _kind_of(after, drift) in _NO_DRIFT:
            cleared = DriftCleared(run_id=run_id, drift=drift, cleared_at=at)
            yield Outbound(DRIFT_EVENTS, drift.drift_id, Typed("DriftCleared", cleared))


def _kind_of(drifts: Mapping[str, Drift], drift: Drift) -> DriftKind | None:
    known = drifts.get(drift.drift_id)
    return known.kind if known else None


def _finished(hub: Hub, run_id: str, comparison: Comparison | None) -> RunFinished:
    return RunFinished(
        run_id=run_id,
        conclusive=comparison is not None,
        compared=comparison.compared if comparison else 0,
        drifts=len(comparison.drifts) if comparison else 0,
        in_flight=len(comparison.in_flight) if comparison else 0,
        consistency_percent=str(comparison.consistency_percent) if comparison else "unknown",
        finished_at=hub.clock(),
    )


def _event(finished: RunFinished) -> Outbound:
    return Outbound(RUN_TOPIC, finished.run_id, Typed("RunFinished", finished))
