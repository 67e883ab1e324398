"""From an event to what the tables keep of it. The live views and the batch recomputation go through here. Pure.

Every entry is the same however often its event is read, so reading twice adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from tieline.kernel.model import AssetEvent, CostEvent, DepreciationPosted, Model
from tieline.views.costs import ASSET_EVENTS, COST_EVENTS, Costs, asset_entry, cost_entries
from tieline.views.depreciation import POSTING_EVENTS, posting_entry, posting_key
from tieline.views.disposals import Disposals, disposal_entry
from tieline.views.spend import Spend

DOCUMENTS_TABLE = "cost-documents"
ASSETS_TABLE = "assets"
DISPOSALS_TABLE = "disposals"
POSTINGS_TABLE = "depreciation-postings"
# Table to the event topic that fills it.
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        DOCUMENTS_TABLE: COST_EVENTS,
        ASSETS_TABLE: ASSET_EVENTS,
        DISPOSALS_TABLE: ASSET_EVENTS,
        POSTINGS_TABLE: POSTING_EVENTS,
    }
)
Entry = Any  # one of the TypedDicts, by table
Known = Callable[[str, str], Entry | None]


class Change(NamedTuple):
    """What an event puts into a table."""

    table: str
    key: str
    entry: Entry


def changes_of(body: Model, known: Known) -> list[Change]:
    """What the event puts into the tables; ``known`` gives the entry of a table and key so far. Other events: none."""
    match body:
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


@dataclass(slots=True)
class Figures:
    """Every view's figures, from the tables' entries. Not safe for concurrent use."""

    costs: Costs = field(default_factory=Costs)
    spend: Spend = field(default_factory=Spend)
    disposals: Disposals = field(default_factory=Disposals)

    def put(self, change: Change) -> None:
        """Keep one entry, in place of the one before."""
        if change.table == DOCUMENTS_TABLE:
            self.costs.put_document(change.key, change.entry)
            self.spend.put_document(change.key, change.entry)
        elif change.table == ASSETS_TABLE:
            self.costs.put_asset(change.key, change.entry)
        elif change.table == DISPOSALS_TABLE:
            self.disposals.put(change.key, change.entry)
        elif change.table == POSTINGS_TABLE:
            self.costs.put_posting(change.key, change.entry)

    def replace(self, table: str, entries: Mapping[str, Entry]) -> None:
        """Forget a table's entries and keep these."""
        if table == DOCUMENTS_TABLE:
            self.costs.replace_documents(entries)
            self.spend.replace_documents(entries)
        elif table == ASSETS_TABLE:
            self.costs.replace_assets(entries)
        elif table == DISPOSALS_TABLE:
            self.disposals.replace(entries)
        elif table == POSTINGS_TABLE:
            self.costs.replace_postings(entries)
