"""Two systems whose people edit one asset at will, while the hub carries their words to and fro."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from tests.unit.processors.bench import AM, ERP, NOW, Hub, asset, euros, settled

from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.digests import digest_fields
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import LedgerEntry, Stage

# No two clocks are right: what a system has seen is told by its own clock alone.
CLOCKS_AHEAD = {AM: dt.timedelta(0), ERP: dt.timedelta(hours=1)}


class Snapshot(NamedTuple):
    """A record as it was read: its content, and the system's version and time of it."""

    fields: AssetFields
    version: int
    recorded_at: dt.datetime


class Office:
    """A system with one record of the asset: people edit it, the hub writes to it, its source reads it."""

    def __init__(self, hub: Hub, name: str, native_id: str, fields: AssetFields | None) -> None:
        self.hub = hub
        self.name = name
        self.native_id = native_id
        self.fields = fields
        self.told: AssetFields | None = None
        self.outbox: deque[Snapshot] = deque()
        self.applied = 0
        self.read = 0
        self.version = 1

    @property
    def recorded_at(self) -> dt.datetime:
        """When the record was last changed, by the system's own clock: a minute later with each change."""
        return NOW + CLOCKS_AHEAD[self.name] + dt.timedelta(minutes=self.version)

    def edit(self, **changes: Any) -> None:
        if self.fields is not None:
            self._hold(self.fields.model_copy(update=changes))

    def _hold(self, fields: AssetFields) -> None:
        if fields != self.fields:
            self.version += 1
        self.fields = fields

    def fetch(self) -> bool:
        """Read the record as it is now, if it was not read like that already; it is told later."""
        if self.fields is None or self.fields == self.told:
            return False
        self.told = self.fields
        self.outbox.append(Snapshot(self.fields, self.version, self.recorded_at))
        return True

    def tell(self) -> bool:
        """Report what was read longest ago."""
        if not self.outbox:
            return False
        read = self.outbox.popleft()
        report = asset(self.name, self.native_id, **{k: v for k, v in read.fields if v is not None})
        of_it = {"source_version": str(read.version), "recorded_at": read.recorded_at}
        self.hub.publish(report.model_copy(update={"origin": report.origin.model_copy(update=of_it)}))
        return True

    def again(self) -> bool:
        """Read the record once more though nothing changed (T02)."""
        self.told = None
        return self.fetch()

    def poll(self) -> bool:
        """Read and report."""
        moved = self.fetch()
        while self.tell():
            moved = True
        return moved

    def deliver(self, **edited: Any) -> bool:
        """Carry out the oldest command; ledger and result say what the record then is.

        ``edited``: what a person changes there after the write and before the target's answer.
        """
        waiting = self.hub.commands[self.name]
        if self.read == len(waiting):
            return False
        command = waiting[self.read]
        assert isinstance(command, WriteAsset)
        self.read += 1
        version = command.dispatch.version
        if version <= self.applied:
            return True
        self.applied = version
        if self.fields is None:
            self._hold(command.fields)
        else:
            said = {name: getattr(command.fields, name) for name in command.writable_fields}
            self._hold(self.fields.model_copy(update={k: v for k, v in said.items() if v is not None}))
        self.edit(**edited)
        assert self.fields is not None
        entry = LedgerEntry(
            target=self.name,
            entity="asset",
            canonical_id=command.asset_id,
            command_id=command.dispatch.command_id,
            version=version,
            applied_version=version,
            stage=Stage.CONFIRMED,
            native_id=self.native_id,
            digest=digest_fields(self.fields),
            at=NOW,
            source_version=str(self.version),
            recorded_at=self.recorded_at,
        )
        self.hub.write_ledger(entry)
        self.hub.publish(settled(self.name, command.asset_id, self.native_id))
        return True


def an_edit(fields: dict[str, Sequence[Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from([(name, value) for name, values in fields.items() for value in values])


def moves(fields: dict[str, Sequence[Any]]) -> st.SearchStrategy[list[Any]]:
    edits = st.tuples(st.sampled_from(["edit", "cross"]), st.sampled_from([AM, ERP]), an_edit(fields))
    verbs = [f"{verb} {name}" for verb in ("fetch", "tell", "again", "deliver") for name in (AM, ERP)]
    rest = st.sampled_from([*verbs, "identify", "accept", "route", "ledger", "hub"])
    return st.lists(st.one_of(edits, rest, rest), max_size=40)


def estate(*, erp_has_it: bool, landscape: Landscape | None = None) -> tuple[Hub, dict[str, Office]]:
    hub = Hub(landscape)
    start = AssetFields(
        serial_number="S",
        acquisition_cost=euros("900.00"),
        asset_class="COMPUTER",
        physical_status=PhysicalStatus.IN_SERVICE,
    )
    bought = (
        AssetFields(serial_number="S", asset_number="FA1", acquisition_cost=euros("900.00")) if erp_has_it else None
    )
    return hub, {AM: Office(hub, AM, "9", start), ERP: Office(hub, ERP, "5", bought)}


def play(hub: Hub, offices: dict[str, Office], script: Sequence[Any]) -> None:
    for move in script:
        match move:
            case ("edit", name, (field, value)):
                offices[name].edit(**{field: value})
            case ("cross", name, (field, value)):
                offices[name].deliver(**{field: value})
            case "hub":
                for stage in hub.stages:
                    hub.step(stage)
            case "ledger":
                hub.catch_up()
            case "identify" | "accept" | "route":
                hub.step(move)
            case str():
                verb, name = move.split()
                getattr(offices[name], verb)()


def come_to_rest(hub: Hub, offices: dict[str, Office], rounds: int = 20) -> int:
    """Let everything run until nothing moves; how many rounds it took. Fails when it never stops (G02)."""
    for number in range(rounds):
        hub.rest()
        moved = [office.deliver() for office in offices.values()]
        hub.rest()
        moved += [office.poll() for office in offices.values()]
        if not any(moved):
            return number
    raise AssertionError(f"still moving after {rounds} rounds: the systems fight")
