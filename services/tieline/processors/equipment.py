"""Equipment and fixed assets are many to many (T29): who bears a cost, and what the disposal of a unit is.

The equipment is asset management's record, the fixed asset another record; a link says which share of the one is the
other, and how many of its units. Work on equipment is borne by its assets; a unit that leaves is no disposal of all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from tieline.kernel.asset_records import AssetReport, AssetState, PhysicalStatus
from tieline.kernel.cost_records import CostFields, CostShare
from tieline.kernel.currencies import split_by_share
from tieline.kernel.equipment_records import (
    EquipmentLinkEvent,
    EquipmentLinkFields,
    EquipmentLinkReport,
    EquipmentLinkState,
    PartialDisposalProposed,
)
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import LinkDecision
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Money
from tieline.processors.accepting import accepted_as
from tieline.processors.duplicates import decided_as
from tieline.processors.index import Index

LINK_EVENTS = "asset.equipment-link.event.v1"
_LEAVING = ("physical_status", "disposal_date", "disposal_kind")


class Equipment:
    """The accepted links, by equipment."""

    def __init__(self) -> None:
        self.table: Table[EquipmentLinkState] = Table(
            "asset.equipment-link.state.v1",
            EquipmentLinkState,
            partition_by=lambda key: key.split("|", 1)[0],
            on_change=self._follow,
        )
        self._of_equipment = Index()
        self._of_asset = Index()
        self._of_record = Index()  # system/native id of the link

    def take(self, equipment_id: str, asset_id: str, report: EquipmentLinkReport) -> list[Outbound]:
        """A link as asset management has it now. Raises ``Rejected`` for shares that exceed the whole on some day."""
        origin, fields = report.origin, report.fields
        key = f"{equipment_id}|{origin.system}/{origin.native_id}"
        stood_at = self._of_record.one_of(f"{origin.system}/{origin.native_id}")
        known = self.table.get(stood_at) if stood_at is not None else None
        if known is not None and (
            origin.recorded_at < known.recorded_at
            or (known.fields, known.equipment_id, known.asset_id) == (fields, equipment_id, asset_id)
        ):
            return []  # Invariant 4
        _check(fields)
        self._check_sum(key, equipment_id, fields)
        row = EquipmentLinkState(
            equipment_id=equipment_id,
            asset_id=asset_id,
            version=known.version + 1 if known else 1,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            fields=fields,
            recorded_at=origin.recorded_at,
            left_on=known.left_on if known and stood_at == key else None,
        )
        if stood_at not in {None, key}:
            self.table.delete(stood_at)  # it is of another equipment now
        self.table.put(key, row)
        before = known.fields if known else None
        changed = tuple(n for n in type(fields).model_fields if getattr(before, n, None) != getattr(fields, n))
        effective = fields.valid_from if known is None else origin.recorded_at.date()
        accepted = accepted_as(row.version, origin, effective, changed)
        event = EquipmentLinkEvent(equipment_id=equipment_id, asset_id=asset_id, accepted=accepted, fields=fields)
        name = "EquipmentLinked" if known is None else "EquipmentLinkChanged"
        return [Outbound(LINK_EVENTS, equipment_id, Typed(name, event))]

    def merge(self, decision: LinkDecision) -> list[Outbound]:
        """What links say of the merged asset they say of the survivor. Raises ``Rejected`` for more than the whole."""
        survivor_id, merged_id = decision.canonical_id or "", decision.other_id or ""
        return self._move(merged_id, survivor_id, lambda _system, _native_id: True, decision)

    def separate(self, decision: LinkDecision, links: Mapping[str, str]) -> list[Outbound]:
        """What they say of the records that are the merged asset's again (``links``), they say of it again (T39)."""
        survivor_id, merged_id = decision.canonical_id or "", decision.other_id or ""
        return self._move(survivor_id, merged_id, lambda system, native_id: links.get(system) == native_id, decision)

    def _move(
        self, source: str, target: str, is_of: Callable[[str, str], bool], decision: LinkDecision
    ) -> list[Outbound]:
        moved: list[Outbound] = []
        for key in sorted({*self._of_equipment.of(source), *self._of_asset.of(source)}):
            link = self.table.get(key)
            if link is None:
                continue
            fields, ends = link.fields, dict[str, object]()
            if link.equipment_id == source and is_of(link.origin_system, fields.equipment_native_id):
                ends["equipment_id"] = target
            if link.asset_id == source and is_of(fields.asset_system, fields.asset_native_id):
                ends["asset_id"] = target
            if not ends:
                continue
            row = link.model_copy(update={**ends, "version": link.version + 1})
            if _key(row) != key:
                self.table.delete(key)
                self._check_sum(_key(row), row.equipment_id, fields)
            self.table.put(_key(row), row)
            accepted = decided_as(row.version, link.origin_system, link.origin_native_id, decision, tuple(ends))
            body = EquipmentLinkEvent(
                equipment_id=row.equipment_id, asset_id=row.asset_id, accepted=accepted, fields=fields
            )
            moved.append(Outbound(LINK_EVENTS, row.equipment_id, Typed("EquipmentLinkChanged", body)))
        return moved

    def bearers(self, equipment_id: str | None, fields: CostFields) -> tuple[CostShare, ...]:
        """What each asset bears of a document on the equipment, by the day the work was done; none without links.

        What no link covers stays with the equipment's own asset.
        """
        links = self._valid(equipment_id or "", fields.effective_date)
        if not links:
            return ()
        parts: dict[str, Fraction] = {}
        for link in links:
            parts[link.asset_id] = parts.get(link.asset_id, Fraction(0)) + share_of(link.fields)
        rest = 1 - sum(parts.values())
        if rest:
            own = links[0].equipment_id
            parts[own] = parts.get(own, Fraction(0)) + rest
        amounts = split_by_share(fields.total, parts, fields.currency)
        return tuple(
            CostShare(asset_id=asset_id, amount=Money(amount=amount, currency=fields.currency))
            for asset_id, amount in amounts.items()
        )

    def leaving(self, equipment_id: str, report: AssetReport, assets: Table[AssetState]) -> list[EquipmentLinkState]:
        """Links by which a report that the equipment left means units of an asset, and not its own record's end."""
        day = leaves_on(report)
        if day is None:
            return []
        links = [link for link in self._valid(equipment_id, day) if link.fields.quantity is not None]
        return [link for link in links if link.asset_id != equipment_id or not _is_all(link, assets)]

    def propose(
        self, leaving: Iterable[EquipmentLinkState], report: AssetReport, assets: Table[AssetState]
    ) -> list[Outbound]:
        """The disposal of those units, once for each link."""
        day = leaves_on(report) or report.origin.recorded_at.date()
        new = (link for link in leaving if link.left_on is None)
        return [self._propose(link, report, day, units_of(assets, link.asset_id)) for link in new]

    def _propose(self, link: EquipmentLinkState, report: AssetReport, day: dt.date, units: Decimal | None) -> Outbound:
        row = link.model_copy(update={"left_on": day, "version": link.version + 1})
        self.table.put(_key(link), row)
        body = PartialDisposalProposed(
            equipment_id=link.equipment_id,
            asset_id=link.asset_id,
            accepted=accepted_as(row.version, report.origin, day, ("left_on",)),
            quantity=link.fields.quantity or Decimal(0),
            asset_quantity=units,
            kind=report.fields.disposal_kind,
        )
        return Outbound(LINK_EVENTS, link.equipment_id, Typed("PartialDisposalProposed", body))

    def _check_sum(self, key: str, equipment_id: str, fields: EquipmentLinkFields) -> None:
        others = [link for link in self._links(equipment_id) if _key(link) != key]
        # A sum can only grow on a first day.
        days = {fields.valid_from, *(link.fields.valid_from for link in others)}
        for day in sorted(day for day in days if _holds(fields, day)):
            beside = [link for link in others if _holds(link.fields, day)]
            found = share_of(fields) + sum(share_of(link.fields) for link in beside)
            if found > 1:
                names = ", ".join(f"{link.origin_native_id} ({share_of(link.fields)})" for link in beside)
                raise Rejected(
                    f"on {day} the shares of equipment {fields.equipment_native_id} add up to {found}",
                    field="fields.share_part",
                    remedy=f"end or lower another of its links at its source first: {names}",
                )

    def _links(self, equipment_id: str) -> list[EquipmentLinkState]:
        found = (self.table.get(key) for key in self._of_equipment.of(equipment_id))
        return [link for link in found if link is not None]

    def _valid(self, equipment_id: str, day: dt.date) -> list[EquipmentLinkState]:
        return [link for link in self._links(equipment_id) if _holds(link.fields, day)]

    def _follow(self, key: str, old: EquipmentLinkState | None, new: EquipmentLinkState | None) -> None:
        equipment_id, _, record = key.partition("|")
        if old is not None:
            self._of_equipment.drop(equipment_id, key)
            self._of_asset.drop(old.asset_id, key)
            self._of_record.drop(record, key)
        if new is not None:
            self._of_equipment.add(equipment_id, key)
            self._of_asset.add(new.asset_id, key)
            self._of_record.add(record, key)


def share_of(fields: EquipmentLinkFields) -> Fraction:
    """The share, exactly."""
    return Fraction(fields.share_part, fields.share_whole)


def negated(shares: Sequence[CostShare]) -> tuple[CostShare, ...]:
    """The shares of a document's counterpart: what one posts the other takes back."""
    return tuple(
        share.model_copy(update={"amount": share.amount.model_copy(update={"amount": -share.amount.amount})})
        for share in shares
    )


def leaves_on(report: AssetReport) -> dt.date | None:
    """The day on which the report says that the thing left; None if it does not say so."""
    fields = report.fields
    if fields.disposal_date is None and fields.physical_status is not PhysicalStatus.RETIRED:
        return None
    return fields.disposal_date or report.origin.recorded_at.date()


def without_disposal(report: AssetReport) -> AssetReport:
    """The report with nothing said of a disposal."""
    return report.model_copy(update={"fields": report.fields.model_copy(update=dict.fromkeys(_LEAVING))})


def units_of(assets: Table[AssetState], asset_id: str) -> Decimal | None:
    """Units of an asset, where they are known."""
    state = assets.get(asset_id)
    return state.fields.quantity if state else None


def _is_all(link: EquipmentLinkState, assets: Table[AssetState]) -> bool:
    units, quantity = units_of(assets, link.asset_id), link.fields.quantity
    return units is not None and quantity is not None and quantity >= units


def _key(link: EquipmentLinkState) -> str:
    return f"{link.equipment_id}|{link.origin_system}/{link.origin_native_id}"


def _holds(fields: EquipmentLinkFields, day: dt.date) -> bool:
    return fields.valid_from <= day and (fields.valid_to is None or day <= fields.valid_to)


def _check(fields: EquipmentLinkFields) -> None:
    remedy = "correct the link at its source"
    if not 0 < fields.share_part <= fields.share_whole:
        reason = f"the share is {fields.share_part} of {fields.share_whole}; it must be above 0 and at most 1"
        raise Rejected(reason, field="fields.share_part", remedy=remedy)
    if fields.quantity is not None and fields.quantity <= 0:
        raise Rejected("the quantity must be above 0", field="fields.quantity", remedy=remedy)
    if fields.valid_to is not None and fields.valid_to < fields.valid_from:
        raise Rejected("it ends before it begins", field="fields.valid_to", remedy=remedy)
