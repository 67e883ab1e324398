"""identify: which reports speak of the same thing. Gives each report its canonical id, or holds it.

Everything about one thing then follows in one order on ``hub.identified.report.v1``, whichever system spoke.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import A_PERSON, HeldReport, LinkStatus, XRef
from tieline.kernel.model import (
    AssetReport,
    BookReport,
    CommandSettled,
    CostReport,
    InvoiceFields,
    InvoiceReport,
    OrderReport,
    Origin,
    ReceiptFields,
    ReceiptReport,
    SettledAs,
)
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.processors.identity import Entropy, match_keys, mint_id, rule_of
from tieline.processors.links import ASSET_ENTITIES, Holds, Links, xref_key

IDENTIFIED = "hub.identified.report.v1"
_COPIED_HEADERS = ("ce_correlationid", "ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type")


class Identify:
    """The handler. Its state is the cross-reference and the held reports."""

    def __init__(self, clock: Clock, entropy: Entropy = os.urandom) -> None:
        self._clock = clock
        self._entropy = entropy
        self.links = Links()
        self.holds = Holds()

    def handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        """See ``Processor``."""
        match value.body:
            case AssetReport() as report:
                _check_entity(report.origin, ASSET_ENTITIES)
                return self._asset(record, report)
            case BookReport() as report:
                _check_entity(report.origin, frozenset({"book"}))
                asset = self.links.of(report.origin.system, "asset", report.asset_native_id)
                return self._dependent(record, report.origin, report.asset_native_id, asset, None)
            case OrderReport() as report:
                _check_entity(report.origin, frozenset({"purchase-order"}))
                return self._order(record, report.origin)
            case ReceiptReport() | InvoiceReport() as report:
                _check_entity(report.origin, frozenset({"receipt" if value.name == "ReceiptReport" else "invoice"}))
                return self._document(record, report.origin, report.fields)
            case CostReport() as report:
                _check_entity(report.origin, frozenset({"cost-document"}))
                return self._cost(record, report)
            case CommandSettled() as settled:
                return self._settled(settled)
            case _:
                raise Rejected(f"{value.name} is not a report")

    def _asset(self, record: Inbound, report: AssetReport) -> list[Outbound]:
        origin = report.origin
        known = self.links.of(origin.system, origin.entity, origin.native_id)
        keys = match_keys(report)
        if known and known.status is LinkStatus.LINKED:
            if known.match_keys != keys:
                self.links.table.put(_key(origin), known.model_copy(update={"match_keys": keys}))
            return [identified(record, known.canonical_id, None)]
        if report.deleted:
            return self._gone(_key(origin), known)
        found = self._recognise(origin, known, keys)
        if isinstance(found, Doubt):
            self._propose(record, origin, found, keys)
            return []
        canonical_id, rule = found
        return [
            identified(record, canonical_id, None),
            *self._link(_key(origin), canonical_id, rule, keys),
        ]

    def _gone(self, mapping: str, known: XRef | None) -> list[Outbound]:
        """A record that was never linked is deleted: there is nothing to make, and nothing left to decide."""
        if known is not None and known.status is LinkStatus.PROPOSED:
            self.links.table.put(mapping, known.model_copy(update={"status": LinkStatus.RETIRED}))
        self.holds.table.delete(mapping)
        return []

    def _recognise(self, origin: Origin, known: XRef | None, keys: tuple[str, ...]) -> tuple[str, str] | Doubt:
        """The canonical id of a record that has none yet, and by which rule; or why only a person can tell."""
        if origin.hub_ref and self.links.knows_asset(origin.hub_ref):
            return self._claim(origin, origin.hub_ref, "hub-ref", "carries the same reference as")
        if known is not None and known.status is LinkStatus.RETIRED:
            return self._claim(origin, known.canonical_id, known.rule, "gave its place to")
        for key in keys:
            candidates = self.links.having(key, origin.system)
            if len(candidates) > 1:
                return Doubt(min(candidates), rule_of(key), f"{key} fits {len(candidates)} assets")
            for candidate in candidates:
                return self._claim(origin, candidate, rule_of(key), f"has the same {key} as")
        return mint_id(self._clock(), self._entropy), "minted"

    def _claim(self, origin: Origin, canonical_id: str, rule: str, why: str) -> tuple[str, str] | Doubt:
        """The place of this system's record at the canonical id, if it is free: one thing has one record a system."""
        other = self.links.linked(canonical_id, origin.system, origin.entity)
        if other is None:
            return canonical_id, rule
        return Doubt(canonical_id, rule, f"{why} record {other.native_id} of {origin.system}")

    def _propose(self, record: Inbound, origin: Origin, doubt: Doubt, keys: tuple[str, ...]) -> None:
        row = XRef(
            system=origin.system,
            entity=origin.entity,
            native_id=origin.native_id,
            canonical_id=doubt.canonical_id,
            status=LinkStatus.PROPOSED,
            rule=doubt.rule,
            match_keys=keys,
            linked_at=self._clock(),
        )
        known = self.links.table.get(_key(origin))
        if known is None or known.model_copy(update={"linked_at": row.linked_at}) != row:
            self.links.table.put(_key(origin), row)
        self._hold(record, origin, A_PERSON, doubt.reason)

    def _order(self, record: Inbound, origin: Origin) -> list[Outbound]:
        known = self.links.of(origin.system, origin.entity, origin.native_id)
        if known is not None:
            return [identified(record, known.canonical_id, None)]
        minted = mint_id(self._clock(), self._entropy)
        return [identified(record, minted, None), *self._link(_key(origin), minted, "minted", ())]

    def _document(self, record: Inbound, origin: Origin, fields: ReceiptFields | InvoiceFields) -> list[Outbound]:
        """A receipt or an invoice, under its order's id: one order for all that is said of one purchase."""
        system, number = fields.order_system or origin.system, fields.order_native_id
        order = self.links.of(system, "purchase-order", number)
        if order is None:
            waits_for = xref_key(system, "purchase-order", number)
            self._hold(record, origin, waits_for, f"purchase order {number} of {system} is not known yet")
            return []
        self.holds.table.delete(_key(origin))
        return [identified(record, order.canonical_id, None)]

    def _cost(self, record: Inbound, report: CostReport) -> list[Outbound]:
        canonical_id = self._own_id(report.origin)
        if report.fields.asset_native_id is None:
            self.holds.table.delete(_key(report.origin))
            return [identified(record, canonical_id, None)]
        asset = self.links.of(report.origin.system, "asset", report.fields.asset_native_id)
        return self._dependent(record, report.origin, report.fields.asset_native_id, asset, canonical_id)

    def _dependent(
        self, record: Inbound, origin: Origin, asset_native_id: str, asset: XRef | None, own_id: str | None
    ) -> list[Outbound]:
        """A report about an asset: under the asset's id (or its own), once the asset is known."""
        if asset is None or asset.status is not LinkStatus.LINKED:
            waits_for = xref_key(origin.system, "asset", asset_native_id)
            self._hold(record, origin, waits_for, f"asset {asset_native_id} of {origin.system} is not known yet")
            return []
        self.holds.table.delete(_key(origin))
        return [identified(record, own_id or asset.canonical_id, asset.canonical_id)]

    def _own_id(self, origin: Origin) -> str:
        known = self.links.of(origin.system, origin.entity, origin.native_id)
        if known is not None:
            return known.canonical_id
        minted = mint_id(self._clock(), self._entropy)
        self._put_link(_key(origin), minted, "minted", ())
        return minted

    def _settled(self, settled: CommandSettled) -> list[Outbound]:
        if settled.outcome is not SettledAs.CONFIRMED or settled.native_id is None or settled.entity == "book":
            return []
        native_id, canonical_id = settled.native_id, settled.canonical_id
        if native_id == canonical_id:
            return []  # a surplus record was removed by its native id: its source reports that it is gone
        known = self.links.of(settled.target, settled.entity, native_id)
        if known and known.status is LinkStatus.LINKED:
            if known.canonical_id != canonical_id:
                raise Rejected(
                    f"{settled.target} wrote {canonical_id} into record {native_id}, which is {known.canonical_id}",
                    field="native_id",
                    remedy="two assets share one record there: separate them, then replay",
                )
            return []
        if not self.links.knows(canonical_id):
            raise Rejected(
                f"{settled.target} wrote {canonical_id}, which is no id of the hub",
                field="canonical_id",
                remedy="find out who commanded it; the record must be linked or removed by a person",
            )
        previous = self.links.linked(canonical_id, settled.target, settled.entity)
        if previous is not None:
            retired = previous.model_copy(update={"status": LinkStatus.RETIRED})
            self.links.table.put(xref_key(previous.system, previous.entity, previous.native_id), retired)
        keys = known.match_keys if known else ()
        mapping = xref_key(settled.target, settled.entity, native_id)
        held = self.holds.table.get(mapping)
        own = [self._released(held, canonical_id, None)] if held else []
        return [*own, *self._link(mapping, canonical_id, "result", keys)]

    def _link(self, mapping: str, canonical_id: str, rule: str, keys: tuple[str, ...]) -> list[Outbound]:
        """Make the link, and release what waited for it."""
        self._put_link(mapping, canonical_id, rule, keys)
        self.holds.table.delete(mapping)
        is_asset = mapping.split("/", 2)[1] in ASSET_ENTITIES
        released: list[Outbound] = []
        for key, held in self.holds.waiting_for(mapping):
            own = self.links.table.get(key)
            own_id = own.canonical_id if own and own.status is LinkStatus.LINKED else canonical_id
            released.append(self._released(held, own_id, canonical_id if is_asset else None))
            self.holds.table.delete(key)
        return released

    @staticmethod
    def _released(held: HeldReport, canonical_id: str, asset_id: str | None) -> Outbound:
        record = Inbound(held.topic, held.partition, held.offset, held.key.encode(), held.value)
        return identified(record, canonical_id, asset_id)

    def _put_link(self, mapping: str, canonical_id: str, rule: str, keys: tuple[str, ...]) -> None:
        system, entity, native_id = mapping.split("/", 2)
        row = XRef(
            system=system,
            entity=entity,
            native_id=native_id,
            canonical_id=canonical_id,
            status=LinkStatus.LINKED,
            rule=rule,
            match_keys=keys,
            linked_at=self._clock(),
        )
        self.links.table.put(mapping, row)

    def _hold(self, record: Inbound, origin: Origin, waits_for: str, reason: str) -> None:
        held = self.holds.table.get(_key(origin))
        if held is not None and held.value == record.value and held.waits_for == waits_for:
            return
        row = HeldReport(
            waits_for=waits_for,
            reason=reason,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key_text,
            value=record.value or b"",
            since=held.since if held else self._clock(),
        )
        self.holds.table.put(_key(origin), row)


class Doubt:
    """A record that may be a known thing, but whose place there is taken, or that fits several: a person decides."""

    def __init__(self, canonical_id: str, rule: str, reason: str) -> None:
        self.canonical_id = canonical_id
        self.rule = rule
        self.reason = reason


def identified(record: Inbound, canonical_id: str, asset_id: str | None) -> Outbound:
    """The report, byte for byte, under its canonical id."""
    headers: dict[str, str | bytes] = {k: v for k, v in record.headers if k in _COPIED_HEADERS}
    headers |= {"tl_canonical_id": canonical_id, "tl_origin_record": record.coordinates}
    if asset_id is not None:
        headers["tl_asset_id"] = asset_id
    return Outbound(IDENTIFIED, canonical_id, record.value or b"", headers)


def _check_entity(origin: Origin, allowed: frozenset[str]) -> None:
    if origin.entity not in allowed:
        raise Rejected(
            f"{origin.entity!r} is not {' or '.join(sorted(allowed))}",
            field="origin.entity",
            remedy="correct the connector's mapping",
        )


def _key(origin: Origin) -> str:
    return xref_key(origin.system, origin.entity, origin.native_id)
