"""What assets cost, as pure functions: from events to entries, from entries to the answer.

A document's entry is the same however often its event is read, so reading twice adds nothing. The live view and the
batch recomputation share these functions and nothing else.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NotRequired, TypedDict

from tieline.kernel.asset_records import AssetEvent, AssetMergeEvent
from tieline.kernel.cost_postings import sums_by_receiver
from tieline.kernel.cost_records import CostEvent, CostTreatment, ReceiverKind
from tieline.views.depreciation import Depreciation, PostingEntry, depreciation_by_book
from tieline.views.depreciation import as_json as depreciation_as_json
from tieline.views.money import sum_by_currency, sums_as_json
from tieline.views.periods import period_of

UNASSIGNED = "unassigned"  # costs of work orders that name no asset the hub knows


class CostEntry(TypedDict):
    """What one cost document adds to its asset and its cost centre.

    Amounts are decimals as text, so that no float ever stands between. ``capitalised``: it is no cost centre's expense,
    but a part of the asset's cost; an entry from before there was such a thing does not say it. ``centres``: what each
    cost centre bears, where it is not the document's own that bears all; of a document shared by assets, on the first.
    """

    asset_id: str
    amount: str
    currency: str
    date: str
    reversal: bool
    company: str
    cost_centre: str
    period: str
    period_from: str
    capitalised: NotRequired[bool]
    centres: NotRequired[dict[str, str]]


class AssetEntry(TypedDict):
    """What an asset's latest event says of its own price, and the asset that it counts as since a merge."""

    version: int
    tag: str | None
    amount: str | None
    currency: str | None
    merged_into: NotRequired[str]


def cost_entry(event: CostEvent) -> CostEntry:
    """The entry of a posted or reversing document; a reversal is a document of its own with the sign turned."""
    period, period_from = period_of(event)
    return CostEntry(
        asset_id=event.asset_id or UNASSIGNED,
        amount=format(event.fields.total, "f"),
        currency=event.fields.currency,
        date=event.fields.effective_date.isoformat(),
        reversal=event.fields.reversal_of is not None,
        company=event.fields.company,
        cost_centre=event.fields.cost_centre,
        period=period,
        period_from=period_from.value,
        capitalised=event.treatment is CostTreatment.CAPITALISE,
    )


def is_capitalised(entry: CostEntry) -> bool:
    """Whether the document is a part of its asset's cost."""
    return entry.get("capitalised", False)


def cost_entries(event: CostEvent) -> dict[str, CostEntry]:
    """The entries of a document by key: one, or one per asset that bears a share of it."""
    whole = cost_entry(event)
    entries = {event.cost_doc_id: whole}
    if event.shares:
        entries = {
            f"{event.cost_doc_id}|{share.asset_id}": CostEntry(
                **{**whole, "asset_id": share.asset_id, "amount": format(share.amount.amount, "f")}
            )
            for share in event.shares
        }
    if any(line.receivers for line in event.fields.lines):
        sums = sums_by_receiver(event.fields)
        centres = {code: format(sum_, "f") for (kind, code), sum_ in sums.items() if kind is ReceiverKind.COST_CENTRE}
        for place, entry in enumerate(entries.values()):
            entry["centres"] = {} if place else centres
    return entries


def asset_entry(event: AssetEvent, known: AssetEntry | None) -> AssetEntry:
    """The asset's entry after this event; an older version changes nothing (Invariant 4)."""
    if known is not None and known["version"] > event.accepted.version:
        return known
    cost = event.fields.acquisition_cost
    entry = AssetEntry(
        version=event.accepted.version,
        tag=event.fields.tag,
        amount=None if cost is None else format(cost.amount, "f"),
        currency=None if cost is None else cost.currency,
    )
    if known is not None and "merged_into" in known:
        entry["merged_into"] = known["merged_into"]
    return entry


def merge_entry(event: AssetMergeEvent, known: AssetEntry | None, *, merged: bool) -> AssetEntry:
    """The entry of an asset that was ``merged`` into another one, or is one by itself again."""
    if known is not None and known["version"] > event.accepted.version:
        return known
    before = known or AssetEntry(version=0, tag=None, amount=None, currency=None)
    entry = AssetEntry(
        version=event.accepted.version, tag=before["tag"], amount=before["amount"], currency=before["currency"]
    )
    if merged:
        entry["merged_into"] = event.survivor_id
    return entry


@dataclass(frozen=True, slots=True)
class AssetCost:
    """The cost of one asset, in sums per currency.

    ``total_cost_of_ownership`` is acquisition and maintenance together. Depreciation is no cost beside them: it is the
    acquisition again, as the books spread it over time. So it stands next to the sum, per book, and never in it. What
    was ``capitalised`` of the work is in the acquisition, as soon as the books have it there, and in no other sum.
    ``merged``: the assets that were merged into it; costs and depreciation published under their ids are its own.
    """

    asset_id: str
    tag: str | None
    merged: tuple[str, ...]
    documents: int
    reversals: int
    last_date: dt.date | None
    acquisition: Mapping[str, Decimal]
    maintenance: Mapping[str, Decimal]
    capitalised: Mapping[str, Decimal]
    total_cost_of_ownership: Mapping[str, Decimal]
    depreciation: tuple[Depreciation, ...]


@dataclass(slots=True)
class Costs:
    """All entries, reachable by asset. Not safe for concurrent use: it lives in one event loop or one thread."""

    _documents: dict[str, dict[str, CostEntry]] = field(default_factory=dict)
    _home: dict[str, str] = field(default_factory=dict)
    _assets: dict[str, AssetEntry] = field(default_factory=dict)
    _postings: dict[str, dict[str, PostingEntry]] = field(default_factory=dict)
    _merged: dict[str, set[str]] = field(default_factory=dict)  # by the asset that they were merged into

    def put_document(self, cost_doc_id: str, entry: CostEntry) -> None:
        """Keep a document's entry, in place of what the document said before."""
        before = self._home.get(cost_doc_id)
        if before is not None and before != entry["asset_id"]:
            del self._documents[before][cost_doc_id]
        self._home[cost_doc_id] = entry["asset_id"]
        self._documents.setdefault(entry["asset_id"], {})[cost_doc_id] = entry

    def put_asset(self, asset_id: str, entry: AssetEntry) -> None:
        """Keep an asset's entry."""
        before = self._assets.get(asset_id, entry).get("merged_into")
        if before is not None:
            self._merged.get(before, set()).discard(asset_id)
        self._assets[asset_id] = entry
        if "merged_into" in entry:
            self._merged.setdefault(entry["merged_into"], set()).add(asset_id)

    def put_posting(self, key: str, entry: PostingEntry) -> None:
        """Keep the entry of a posted depreciation; the key names its asset, so it never moves."""
        self._postings.setdefault(entry["asset_id"], {})[key] = entry

    def of(self, asset_id: str) -> AssetCost | None:
        """The cost of one asset, or of the one that it counts as since a merge; None when nothing is known of it."""
        asset_id = self._survivor(asset_id)
        ids = self._with_merged(asset_id)
        asset = self._assets.get(asset_id)
        entries = [entry for one in ids for entry in self._documents.get(one, {}).values()]
        postings = [entry for one in ids for entry in self._postings.get(one, {}).values()]
        if asset is None and not entries and not postings:
            return None
        maintenance = _expenses(entries)
        acquisition: dict[str, Decimal] = {}
        if asset is not None and asset["amount"] is not None and asset["currency"] is not None:
            acquisition[asset["currency"]] = Decimal(asset["amount"])
        both = (*acquisition.items(), *maintenance.items())
        return AssetCost(
            asset_id=asset_id,
            tag=asset["tag"] if asset else None,
            merged=tuple(sorted(ids[1:])),
            documents=len(entries),
            reversals=sum(entry["reversal"] for entry in entries),
            last_date=max((dt.date.fromisoformat(entry["date"]) for entry in entries), default=None),
            acquisition=acquisition,
            maintenance=maintenance,
            capitalised=_capital(entries),
            total_cost_of_ownership=sum_by_currency((currency, str(amount)) for currency, amount in both),
            depreciation=depreciation_by_book(postings),
        )

    def _survivor(self, asset_id: str) -> str:
        """The asset that it counts as. Entries come from several partitions: for a moment two may name each other."""
        seen = {asset_id}
        while (other := self._assets[asset_id].get("merged_into") if asset_id in self._assets else None) is not None:
            if other in seen:
                return min(seen)
            seen.add(other)
            asset_id = other
        return asset_id

    def _with_merged(self, asset_id: str) -> list[str]:
        """The asset, then those that were merged into it, and into them."""
        found = [asset_id]
        for one in found:
            found += sorted(self._merged.get(one, set()).difference(found))
        return found

    def page(self, *, after: str, limit: int) -> tuple[list[AssetCost], str | None]:
        """Up to ``limit`` assets in order of their id, beginning behind ``after``; and where the next page begins."""
        with_documents = {asset_id for asset_id, entries in self._documents.items() if entries}
        ids = self._assets.keys() | self._postings.keys() | with_documents
        own = (asset_id for asset_id in ids if asset_id > after and self._survivor(asset_id) == asset_id)
        wanted = heapq.nsmallest(limit + 1, own)
        found = [cost for asset_id in wanted[:limit] if (cost := self.of(asset_id)) is not None]
        return found, wanted[limit - 1] if len(wanted) > limit else None

    def totals(self) -> dict[str, Mapping[str, Decimal]]:
        """Sums over everything, per currency: acquisition, maintenance, total_cost_of_ownership."""
        documents = [entry for entries in self._documents.values() for entry in entries.values()]
        maintenance = _expenses(documents)
        acquisition = sum_by_currency(
            (entry["currency"], entry["amount"])
            for asset_id, entry in self._assets.items()
            if entry["currency"] is not None
            and entry["amount"] is not None
            # What was bought once is in the books of the asset that both count as.
            and self._survivor(asset_id) == asset_id
        )
        both = (*acquisition.items(), *maintenance.items())
        return {
            "acquisition": acquisition,
            "maintenance": maintenance,
            "capitalised": _capital(documents),
            "total_cost_of_ownership": sum_by_currency((currency, str(amount)) for currency, amount in both),
        }


def _expenses(entries: Iterable[CostEntry]) -> dict[str, Decimal]:
    return sum_by_currency((entry["currency"], entry["amount"]) for entry in entries if not is_capitalised(entry))


def _capital(entries: Iterable[CostEntry]) -> dict[str, Decimal]:
    return sum_by_currency((entry["currency"], entry["amount"]) for entry in entries if is_capitalised(entry))


def as_json(cost: AssetCost) -> dict[str, object]:
    """The answer's shape: amounts as text, in plain notation."""
    return {
        "asset_id": cost.asset_id,
        "tag": cost.tag,
        "merged": list(cost.merged),
        "documents": cost.documents,
        "reversals": cost.reversals,
        "last_date": None if cost.last_date is None else cost.last_date.isoformat(),
        "acquisition": sums_as_json(cost.acquisition),
        "maintenance": sums_as_json(cost.maintenance),
        "capitalised": sums_as_json(cost.capitalised),
        "total_cost_of_ownership": sums_as_json(cost.total_cost_of_ownership),
        "depreciation": depreciation_as_json(cost.depreciation),
    }
