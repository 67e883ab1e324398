"""identify: which reports speak of the same thing. Gives each report its canonical id, or holds it.

Everything about one thing then follows in one order on ``hub.identified.report.v1``, whichever system spoke.
"""

from __future__ import annotations

from collections.abc import Iterable

from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import HeldReport, LinkStatus, XRef
from tieline.kernel.model import AssetReport, BookReport, CommandSettled, CostReport, OrderReport, Origin, SettledAs
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.identity import match_keys, mint_id, rule_of

IDENTIFIED = "hub.identified.report.v1"
A_PERSON = "person"
_COPIED_HEADERS = ("ce_correlationid", "ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type")


class Links:
    """The cross-reference as a table with its indexes: by canonical id, and by match key."""

    def __init__(self) -> None:
        self.table: Table[XRef] = Table("hub.xref.state.v1", XRef, on_change=self._follow)
        self._by_canonical: dict[str, set[str]] = {}
        self._by_match_key: dict[str, set[str]] = {}

    def of(self, system: str, entity: str, native_id: str) -> XRef | None:
        """The cross-reference of one record."""
        return self.table.get(xref_key(system, entity, native_id))

    def knows(self, canonical_id: str) -> bool:
        """Whether anything is linked to this canonical id."""
        return bool(self._by_canonical.get(canonical_id))

    def linked(self, canonical_id: str, system: str, entity: str) -> XRef | None:
        """The record of that system and entity that is linked to the canonical id."""
        for key in sorted(self._by_canonical.get(canonical_id, ())):
            row = self.table.get(key)
            if row and row.system == system and row.entity == entity:
                return row
        return None

    def having(self, match_key: str) -> set[str]:
        """Canonical ids with a linked record of this match key."""
        rows = [self.table.get(key) for key in self._by_match_key.get(match_key, ())]
        return {row.canonical_id for row in rows if row}

    def _follow(self, key: str, old: XRef | None, new: XRef | None) -> None:
        if old and old.status is LinkStatus.LINKED:
            _drop(self._by_canonical, old.canonical_id, key)
            for match in old.match_keys:
                _drop(self._by_match_key, match, key)
        if new and new.status is LinkStatus.LINKED:
            self._by_canonical.setdefault(new.canonical_id, set()).add(key)
            for match in new.match_keys:
                self._by_match_key.setdefault(match, set()).add(key)


class Holds:
    """Reports that wait for a mapping, with an index by what they wait for."""

    def __init__(self) -> None:
        self.table: Table[HeldReport] = Table("hub.hold.state.v1", HeldReport, on_change=self._follow)
        self._waiting: dict[str, set[str]] = {}

    def waiting_for(self, mapping: str) -> list[tuple[str, HeldReport]]:
        """Held reports that this mapping releases, in the order they came."""
        rows = [(key, row) for key in self._waiting.get(mapping, ()) if (row := self.table.get(key))]
        return sorted(rows, key=lambda item: (item[1].since, item[1].topic, item[1].partition, item[1].offset))

    def _follow(self, key: str, old: HeldReport | None, new: HeldReport | None) -> None:
        if old:
            _drop(self._waiting, old.waits_for, key)
        if new:
            self._waiting.setdefault(new.waits_for, set()).add(key)


class Identify:
    """The handler. Its state is the cross-reference and the held reports."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.links = Links()
        self.holds = Holds()

    def handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        """See ``Processor``."""
        match value.body:
            case AssetReport() as report:
                return self._asset(record, report)
            case BookReport() as report:
                asset = self.links.of(report.origin.system, "asset", report.asset_native_id)
                return self._dependent(record, report.origin, report.asset_native_id, asset, None)
            case OrderReport() as report:
                return [identified(record, self._own_id(report.origin), None)]
            case CostReport() as report:
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
        found = self._recognise(origin, keys)
        if isinstance(found, Doubt):
            self._propose(record, origin, found, keys)
            return []
        canonical_id, rule = found
        return [
            identified(record, canonical_id, None),
            *self._link(_key(origin), canonical_id, rule, keys),
        ]

    def _recognise(self, origin: Origin, keys: tuple[str, ...]) -> tuple[str, str] | Doubt:
        """The canonical id of a record met for the first time, and by which rule; or why only a person can tell."""
        if origin.hub_ref and self.links.knows(origin.hub_ref):
            other = self.links.linked(origin.hub_ref, origin.system, origin.entity)
            if other is not None:
                return Doubt(origin.hub_ref, "hub-ref", f"carries the reference of record {other.native_id}")
            return origin.hub_ref, "hub-ref"
        for key in keys:
            candidates = self.links.having(key)
            if not candidates:
                continue
            if len(candidates) > 1:
                return Doubt(min(candidates), rule_of(key), f"{key} fits {len(candidates)} assets")
            [candidate] = candidates
            other = self.links.linked(candidate, origin.system, origin.entity)
            if other is None:
                return candidate, rule_of(key)
            return Doubt(candidate, rule_of(key), f"has the same {key} as record {other.native_id}")
        return mint_id(self._clock()), "minted"

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

    def _cost(self, record: Inbound, report: CostReport) -> list[Outbound]:
        canonical_id = self._own_id(report.origin)
        if report.fields.asset_native_id is None:
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
        minted = mint_id(self._clock())
        self._put_link(_key(origin), minted, "minted", ())
        return minted

    def _settled(self, settled: CommandSettled) -> list[Outbound]:
        if settled.outcome is not SettledAs.CONFIRMED or settled.native_id is None or settled.entity == "book":
            return []
        native_id, canonical_id = settled.native_id, settled.canonical_id
        known = self.links.of(settled.target, settled.entity, native_id)
        if known and known.status is LinkStatus.LINKED:
            if known.canonical_id != canonical_id:
                raise Rejected(
                    f"{settled.target} wrote {canonical_id} into record {native_id}, which is {known.canonical_id}",
                    field="native_id",
                    remedy="two assets share one record there: separate them, then replay",
                )
            return []
        if known is None and not self.links.knows(canonical_id) and settled.entity != "cost-document":
            return []  # the result of a removal: nothing is left to link
        previous = self.links.linked(canonical_id, settled.target, settled.entity)
        if previous is not None:
            retired = previous.model_copy(update={"status": LinkStatus.RETIRED})
            self.links.table.put(xref_key(previous.system, previous.entity, previous.native_id), retired)
        keys = known.match_keys if known else ()
        return self._link(xref_key(settled.target, settled.entity, native_id), canonical_id, "result", keys)

    def _link(self, mapping: str, canonical_id: str, rule: str, keys: tuple[str, ...]) -> list[Outbound]:
        """Make the link, and release what waited for it."""
        self._put_link(mapping, canonical_id, rule, keys)
        self.holds.table.delete(mapping)
        released: list[Outbound] = []
        for key, held in self.holds.waiting_for(mapping):
            own = self.links.table.get(key)
            own_id = own.canonical_id if own and own.status is LinkStatus.LINKED else canonical_id
            record = Inbound(held.topic, held.partition, held.offset, held.key.encode(), held.value)
            released.append(identified(record, own_id, canonical_id))
            self.holds.table.delete(key)
        return released

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


def xref_key(system: str, entity: str, native_id: str) -> str:
    """Key of the cross-reference: system/entity/native id."""
    return f"{system}/{entity}/{native_id}"


def _key(origin: Origin) -> str:
    return xref_key(origin.system, origin.entity, origin.native_id)


def _drop(index: dict[str, set[str]], name: str, key: str) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[name]
