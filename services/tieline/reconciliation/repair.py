"""The repair plan: what would be written where, shown first; then commands by the front door, never a side write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.cost_postings import postings_of
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Stop
from tieline.kernel.ownership import ASSET_MANAGEMENT, ERP, cleared_fields
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.settling import entity_of
from tieline.kernel.topic_names import commands_of
from tieline.kernel.vocabulary import Dispatch
from tieline.reconciliation.compare import Comparison
from tieline.reconciliation.evidence import ASSET, BOOK, COST, Evidence, book_key
from tieline.reconciliation.findings import ABSENT, SURPLUS, Finding, Remedy, stable_id
from tieline.reconciliation.scope import Scope

MAX_KEYS = 100

Action = Literal["write", "remove", "re-read", "person"]


@dataclass(frozen=True, slots=True)
class Change:
    """One value before and after; ``field`` is None for a whole record."""

    field: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One record's line in the plan. ``commands`` are in the order they must be done."""

    action: Action
    system: str
    entity: str
    record_id: str
    note: str
    changes: tuple[Change, ...]
    commands: tuple[Command, ...] = ()

    @property
    def key(self) -> str:
        """Key its commands travel on."""
        if self.action == "remove":
            return f"{self.system}/{self.entity}/{self.record_id}"
        # A book (asset id|book id) travels behind its asset (Invariant 2).
        return self.record_id.split("|", 1)[0] if self.entity == BOOK else self.record_id


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps, in a stable order. ``plan_hash`` is the same for the same plan of another run."""

    run_id: str
    steps: Sequence[Step]
    plan_hash: str

    @property
    def keys(self) -> frozenset[tuple[str, str]]:
        """System and key of everything the plan would touch."""
        return frozenset((step.system, step.key) for step in self.steps if step.commands)


def make_plan(comparison: Comparison, evidence: Evidence, scope: Scope, *, allow_removal: bool = False) -> Plan:
    """The plan for everything that drifted; what is in flight is left alone. Pure.

    ``allow_removal`` also removes surplus assets from asset-management systems; without it a person decides.
    """
    builder = _Builder(evidence, scope, allow_removal=allow_removal)
    steps: list[Step] = []
    groups = groupby(sorted(comparison.drifts, key=_group), key=_group)
    for (system, entity, record_id, _), findings in groups:
        steps.append(builder.step(system, entity, record_id, list(findings)))
    return Plan(comparison.run_id, steps, _hash(steps, comparison.run_id))


def check_plan(plan: Plan, plan_hash: str, *, max_keys: int = MAX_KEYS) -> None:
    """Raise ``Stop`` unless this is the plan that was looked at, and small enough to be applied at once."""
    if plan.plan_hash != plan_hash:
        raise Stop(
            f"the plan has changed: it is now {plan.plan_hash}, not {plan_hash}. "
            "Look at it again, then apply it by its hash"
        )
    if len(plan.keys) > max_keys:
        raise Stop(
            f"the plan touches {len(plan.keys)} keys; at most {max_keys} are repaired at once. "
            "Find the common cause first, or repair fewer systems at a time"
        )


def to_records(plan: Plan) -> Sequence[Outbound]:
    """The plan's commands, on the command topics of their targets, in order per key."""
    return [
        Outbound(commands_of(step.system), step.key, Typed(type(command).__name__, command))
        for step in plan.steps
        for command in step.commands
    ]


def _group(finding: Finding) -> tuple[str, str, str, str]:
    return (*finding.record, finding.remedy.value)


class _Builder:
    """Turns the findings of one record into a step."""

    def __init__(self, evidence: Evidence, scope: Scope, *, allow_removal: bool) -> None:
        self._evidence = evidence
        self._scope = scope
        self._allow_removal = allow_removal

    def step(self, system: str, entity: str, record_id: str, findings: Sequence[Finding]) -> Step:
        remedy, kind = findings[0].remedy, findings[0].drift.kind
        changes = tuple(Change(f.drift.field, f.drift.found, f.drift.expected) for f in findings)
        causes = "; ".join(dict.fromkeys(f.drift.cause or "" for f in findings))
        if remedy is Remedy.RE_READ:
            # Nothing is sent: the system's own word counts, the hub has to hear it again.
            kept = tuple(Change(c.field, c.after, c.before) for c in changes)
            return Step("re-read", system, entity, record_id, f"{causes}; the hub takes it over by reading again", kept)
        if kind in SURPLUS:
            return self._surplus(system, entity, record_id, causes, changes)
        if remedy is Remedy.PERSON:
            return Step("person", system, entity, record_id, f"{causes}; a person decides", changes)
        commands = self._commands(system, entity, record_id, findings)
        if not commands:
            note = f"{causes}; no enabled flow brings a {entity} to {system}: a person decides"
            return Step("person", system, entity, record_id, note, changes)
        return Step("write", system, entity, record_id, causes, changes, commands)

    def _surplus(self, system: str, entity: str, record_id: str, causes: str, changes: tuple[Change, ...]) -> Step:
        removable = entity == ASSET and self._scope.role(system) == ASSET_MANAGEMENT
        if not (removable and self._allow_removal):
            options = "a person decides: make the hub know it (link it, or read it again), or remove it"
            more = f"{options} with --allow-removal" if removable else f"{options} in {system} by hand"
            return Step("person", system, entity, record_id, f"{causes}; {more}", changes)
        command = RemoveRecord(
            dispatch=self._dispatch(system, entity, record_id, 1, (system, entity, record_id)),
            entity=entity,
            record_id=record_id,
            native_id=record_id,
        )
        return Step("remove", system, entity, record_id, f"{causes}; it is removed", changes, (command,))

    def _commands(self, system: str, entity: str, record_id: str, findings: Sequence[Finding]) -> tuple[Command, ...]:
        group = (system, entity, record_id)
        drift = findings[0].drift
        if not self._scope.receives(entity, system):
            return ()
        match entity:
            case "asset" if drift.kind in ABSENT:
                return (self._asset(system, record_id, group, None, None), *self._books(system, record_id, group, None))
            case "asset":
                fields = tuple(f.drift.field for f in findings if f.drift.field)
                return (self._asset(system, record_id, group, drift.native_id, fields),)
            case "book":
                asset_native = drift.native_id.rsplit("|", 1)[0] if drift.native_id else None
                books = self._books(system, record_id.split("|", 1)[0], group, asset_native)
                return tuple(write for write in books if entity_of(write)[1] == record_id)
            case "cost-document":
                return (self._cost(system, record_id, group),)
            case _:
                return ()

    def _asset(
        self,
        system: str,
        asset_id: str,
        group: tuple[str, str, str],
        native_id: str | None,
        fields: tuple[str, ...] | None,
    ) -> WriteAsset:
        """Only the drifting fields of a record that exists; everything of one that has to be made again."""
        state = self._evidence.assets[asset_id].row
        everything = self._scope.ownership.writable_fields(state.said_by, system, self._scope.role(system))
        writable = everything if fields is None else fields
        return WriteAsset(
            dispatch=self._dispatch(system, ASSET, asset_id, state.version, group),
            asset_id=asset_id,
            native_id=native_id,
            fields=state.fields,
            writable_fields=writable,
            # A repair brings the record to what holds now: the codes are those of the day it was read.
            effective_date=self._evidence.systems[system].finished_at.date(),
            cleared_fields=cleared_fields(state.fields, state.said_by, writable),
        )

    def _books(
        self, system: str, asset_id: str, group: tuple[str, str, str], native_id: str | None
    ) -> tuple[WriteBook, ...]:
        if not self._scope.receives(BOOK, system):
            return ()
        rows = sorted(
            (p.row for p in self._evidence.books.values() if p.row.asset_id == asset_id), key=lambda b: b.fields.book_id
        )
        return tuple(
            WriteBook(
                dispatch=self._dispatch(system, BOOK, book_key(row), row.version, group),
                asset_id=asset_id,
                native_id=native_id,
                fields=row.fields,
            )
            for row in rows
        )

    def _cost(self, system: str, cost_id: str, group: tuple[str, str, str]) -> PostCost:
        state = self._evidence.costs[cost_id].row
        return PostCost(
            dispatch=self._dispatch(system, COST, cost_id, state.version, group),
            cost_doc_id=cost_id,
            asset_id=state.asset_id,
            asset_number=None if state.shares else self._number(system, state.asset_id),
            fields=state.fields,
            posting_date=state.posting_date,
            postings=postings_of(state.fields),
        )

    def _number(self, system: str, asset_id: str | None) -> str | None:
        """The target's own number of the asset: what it answered, else what the books say."""
        if asset_id is None:
            return None
        entry = self._evidence.delivery(system, ASSET, asset_id)
        if entry is not None and entry.number:
            return entry.number
        placed = self._evidence.assets.get(asset_id)
        return placed.row.fields.asset_number if placed and self._scope.role(system) == ERP else None

    def _dispatch(
        self, system: str, entity: str, record_id: str, version: int, group: tuple[str, str, str]
    ) -> Dispatch:
        return Dispatch(
            command_id=f"{system}/{entity}/{record_id}/{version}/repair-{self._evidence.run_id}",
            target=system,
            version=version,
            # Tells the ledger that this effect is meant although its version is applied already (Invariant 3).
            repair_id=stable_id(*group),
        )


def _hash(steps: Sequence[Step], run_id: str) -> str:
    lines: list[Mapping[str, object]] = [
        {
            "step": [step.action, step.system, step.entity, step.record_id],
            "changes": [[c.field, c.before, c.after] for c in step.changes],
            # The run's id is in every command id and must not be in the hash; the content must.
            "commands": [digest_fields(_without_run(command, run_id)) for command in step.commands],
        }
        for step in steps
    ]
    return stable_id(json.dumps(lines, sort_keys=True, separators=(",", ":")))


def _without_run(command: Command, run_id: str) -> Command:
    dispatch = command.dispatch
    plain = dispatch.model_copy(update={"command_id": dispatch.command_id.removesuffix(run_id)})
    return command.model_copy(update={"dispatch": plain})
