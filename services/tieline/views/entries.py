"""From a record to what the tables keep of it. The live views and the batch recomputation go through here. Pure.

Every entry is the same however often its record is read, so reading twice adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tieline.kernel.asset_records import AssetEvent, AssetMergeEvent
from tieline.kernel.book_records import AssetBookChanged, DepreciationPosted
from tieline.kernel.command_records import CommandSettled, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.cost_records import CostEvent
from tieline.kernel.topic_names import (
    ASSET_EVENTS,
    BOOK_EVENTS,
    COST_EVENTS,
    POSTING_EVENTS,
    commands_of,
    results_of,
)
from tieline.kernel.vocabulary import Model
from tieline.views.completeness import Completeness
from tieline.views.costs import Costs, asset_entry, cost_entries, merge_entry
from tieline.views.depreciation import posting_entry, posting_key
from tieline.views.disposals import Disposals, disposal_entry
from tieline.views.flows import change_entry, change_key, command_entry, result_entry
from tieline.views.spend import Spend

DOCUMENTS_TABLE = "cost-documents"
ASSETS_TABLE = "assets"
DISPOSALS_TABLE = "disposals"
POSTINGS_TABLE = "depreciation-postings"
CHANGES_TABLE = "flow-changes"
COMMANDS_TABLE = "flow-commands"
RESULTS_TABLE = "flow-results"
# Tables of which only the window of flow completeness is kept.
WINDOWED = frozenset({CHANGES_TABLE, COMMANDS_TABLE, RESULTS_TABLE})
Entry = Any  # one of the TypedDicts, by table
Known = Callable[[str, str], Entry | None]
Sources = Mapping[str, tuple[str, ...]]


class Change(NamedTuple):
    """What a record puts into a table."""

    table: str
    key: str
    entry: Entry


def sources_of(systems: Iterable[str]) -> Sources:
    """Table to the topics that fill it, in a landscape with these systems.

    A table's topics all have its number of partitions, and a key of it is always of the same partition: of the
    aggregate's id, which is every one of these topics' key.
    """
    names = sorted(systems)
    return {
        DOCUMENTS_TABLE: (COST_EVENTS,),
        ASSETS_TABLE: (ASSET_EVENTS,),
        DISPOSALS_TABLE: (ASSET_EVENTS,),
        POSTINGS_TABLE: (POSTING_EVENTS,),
        CHANGES_TABLE: (ASSET_EVENTS, BOOK_EVENTS, COST_EVENTS),
        COMMANDS_TABLE: tuple(map(commands_of, names)),
        RESULTS_TABLE: tuple(map(results_of, names)),
    }


def topics_of(sources: Sources) -> tuple[str, ...]:
    """Every topic that fills a table, once, in order."""
    return tuple(sorted({topic for topics in sources.values() for topic in topics}))


def changes_of(name: str, body: Model, written_ms: int, known: Known) -> list[Change]:
    """What the record of this name, written at ``written_ms``, puts into the tables; of no interest to them: nothing.

    ``known`` gives the entry of a table and key so far.
    """
    return [*_figures(name, body, known), *_flows(body, written_ms, known)]


def _figures(name: str, body: Model, known: Known) -> list[Change]:
    match body:
        case AssetMergeEvent(asset_id=asset_id):
            entry = merge_entry(body, known(ASSETS_TABLE, asset_id), merged=name == "AssetMerged")
            return [Change(ASSETS_TABLE, asset_id, entry)]
        case CostEvent():
            return [Change(DOCUMENTS_TABLE, key, entry) for key, entry in cost_entries(body).items()]
        case AssetEvent(asset_id=asset_id):
            return [
                Change(ASSETS_TABLE, asset_id, asset_entry(body, known(ASSETS_TABLE, asset_id))),
                Change(DISPOSALS_TABLE, asset_id, disposal_entry(body, known(DISPOSALS_TABLE, asset_id))),
            ]
        case DepreciationPosted():
            return [Change(POSTINGS_TABLE, posting_key(body), posting_entry(body))]
        case _:
            return []


def _flows(body: Model, written_ms: int, known: Known) -> list[Change]:
    match body:
        case AssetEvent() | AssetBookChanged() | CostEvent():
            key = change_key(body)
            return [Change(CHANGES_TABLE, key, change_entry(body, written_ms, known(CHANGES_TABLE, key)))]
        case WriteAsset() | WriteBook() | PostCost() | RemoveRecord():
            command_id = body.dispatch.command_id
            entry = command_entry(body, written_ms, known(COMMANDS_TABLE, command_id))
            return [] if entry is None else [Change(COMMANDS_TABLE, command_id, entry)]
        case CommandSettled(command_id=command_id):
            answer = result_entry(body, written_ms, known(RESULTS_TABLE, command_id))
            return [Change(RESULTS_TABLE, command_id, answer)]
        case _:
            return []


@dataclass(slots=True)
class Figures:
    """Every view's figures, from the tables' entries. Not safe for concurrent use."""

    costs: Costs = field(default_factory=Costs)
    spend: Spend = field(default_factory=Spend)
    disposals: Disposals = field(default_factory=Disposals)
    completeness: Completeness = field(default_factory=Completeness)

    def put(self, change: Change) -> None:
        """Keep one entry, in place of the one before."""
        key, entry = change.key, change.entry
        if change.table == DOCUMENTS_TABLE:
            self.costs.put_document(key, entry)
            self.spend.put_document(key, entry)
        elif change.table == ASSETS_TABLE:
            self.costs.put_asset(key, entry)
        elif change.table == DISPOSALS_TABLE:
            self.disposals.put(key, entry)
        elif change.table == POSTINGS_TABLE:
            self.costs.put_posting(key, entry)
        elif change.table == CHANGES_TABLE:
            self.completeness.put_change(key, entry)
        elif change.table == COMMANDS_TABLE:
            self.completeness.put_command(key, entry)
        elif change.table == RESULTS_TABLE:
            self.completeness.put_result(key, entry)
