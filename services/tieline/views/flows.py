"""What flow completeness keeps of each hop of a flow: an accepted change, a routed command, its answer. Pure.

The hops are kept apart and joined when they are shown, so they may be read in any order, by any process, and twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypedDict, final

from tieline.kernel.asset_records import AssetEvent
from tieline.kernel.book_records import AssetBookChanged
from tieline.kernel.command_records import Command, CommandSettled, RemoveRecord, SettledAs
from tieline.kernel.cost_records import CostEvent
from tieline.kernel.landscape import Landscape, Mode
from tieline.kernel.settling import entity_of

WINDOW_HOURS = 48
HOUR_MS = 3_600_000
# What is past is looked for once in so much time of the log: each entry is looked at a few times, not every hour.
SWEEP_MS = 6 * HOUR_MS
# Of two answers to one command the higher counts: what the target holds, it holds.
_RANKS: Mapping[str, int] = {
    SettledAs.UNKNOWN.value: 0,
    SettledAs.REJECTED.value: 1,
    SettledAs.SUPERSEDED.value: 2,
    SettledAs.CONFIRMED.value: 3,
}


class FlowName(NamedTuple):
    """One object moving one way."""

    object: str
    source: str
    target: str

    @property
    def text(self) -> str:
        """As the landscape writes it: ``asset:unio24>tryton``."""
        return f"{self.object}:{self.source}>{self.target}"


def flows_of(landscape: Landscape) -> tuple[FlowName, ...]:
    """The flows that run."""
    enabled = (flow for flow in landscape.flows if flow.mode is Mode.ENABLED)
    return tuple(FlowName(flow.object, flow.source, flow.target) for flow in enabled)


@final
class ChangeEntry(TypedDict):
    """An accepted change. Instants are milliseconds UTC; ``changed_ms`` is the source's, ``written_ms`` the log's."""

    object: str
    source: str
    changed_ms: int
    written_ms: int


@final
class CommandEntry(TypedDict):
    """A routed command, and the key of the change it carries."""

    change: str
    target: str
    written_ms: int


@final
class ResultEntry(TypedDict):
    """How a command ended."""

    outcome: str
    written_ms: int


FlowEntry = ChangeEntry | CommandEntry | ResultEntry
ChangedRecord = AssetEvent | AssetBookChanged | CostEvent


def change_key(event: ChangedRecord) -> str:
    """``entity/canonical id/version``, as commands name what they carry."""
    match event:
        case AssetEvent():
            entity, canonical_id = "asset", event.asset_id
        case AssetBookChanged():
            entity, canonical_id = "book", f"{event.asset_id}|{event.fields.book_id}"
        case CostEvent():
            entity, canonical_id = "cost-document", event.cost_doc_id
    return f"{entity}/{canonical_id}/{event.accepted.version}"


def change_entry(event: ChangedRecord, written_ms: int, known: ChangeEntry | None) -> ChangeEntry:
    """The entry of a change; of two records of it the earlier counts.

    A source whose clock is ahead changes nothing in the future: such a change counts when the hub accepted it.
    """
    if known is not None and known["written_ms"] <= written_ms:
        return known
    recorded_ms = round(event.accepted.recorded_at.timestamp() * 1000)
    return ChangeEntry(
        object=_object_of(event),
        source=event.accepted.origin_system,
        changed_ms=min(recorded_ms, written_ms),
        written_ms=written_ms,
    )


def command_entry(command: Command, written_ms: int, known: CommandEntry | None) -> CommandEntry | None:
    """The entry of a command of a flow, the earlier of two; None for one that repairs a drift."""
    dispatch = command.dispatch
    if dispatch.repair_id is not None or isinstance(command, RemoveRecord):
        return None
    if known is not None and known["written_ms"] <= written_ms:
        return known
    entity, canonical_id = entity_of(command)
    return CommandEntry(
        change=f"{entity}/{canonical_id}/{dispatch.version}", target=dispatch.target, written_ms=written_ms
    )


def result_entry(result: CommandSettled, written_ms: int, known: ResultEntry | None) -> ResultEntry:
    """The entry of a command's answer: a confirmation counts more than a refusal, and of two alike the earlier."""
    entry = ResultEntry(outcome=result.outcome.value, written_ms=written_ms)
    return entry if known is None else max(known, entry, key=_weight)


def is_past(entry: FlowEntry, latest_ms: int) -> bool:
    """Whether the window has left the entry behind, once a record was written at ``latest_ms``."""
    # A command is written after its change; an hour is left for clocks that do not quite agree.
    ms = entry["changed_ms"] if "changed_ms" in entry else entry["written_ms"] + HOUR_MS
    return ms // HOUR_MS < first_hour_of(latest_ms)


def first_hour_of(latest_ms: int) -> int:
    """The first hour of the window, in hours since the epoch, once a record was written at ``latest_ms``."""
    return latest_ms // HOUR_MS - WINDOW_HOURS + 1


def _object_of(event: ChangedRecord) -> str:
    match event:
        case AssetBookChanged():
            return "book"
        case CostEvent():
            return "cost-document"
        case AssetEvent(accepted=accepted):
            # As the router tells them apart: what an order line says of an asset travels with its order.
            ordered = event.fields.po_line_ref == f"{accepted.origin_system}/{accepted.origin_native_id}"
            return "purchase-order" if ordered else "asset"


def _weight(entry: ResultEntry) -> tuple[int, int]:
    return _RANKS[entry["outcome"]], -entry["written_ms"]
