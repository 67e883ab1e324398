"""Making links and keeping what waits for one: the steps that identify is made of."""

from __future__ import annotations

import datetime as dt

from tieline.kernel.clock import Clock
from tieline.kernel.matching import MatchRules, load_match_rules
from tieline.kernel.memory import HeldReport, LinkStatus, XRef
from tieline.kernel.producing import pass_on
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.topic_names import IDENTIFIED
from tieline.kernel.vocabulary import Origin
from tieline.processors.links import ASSET_ENTITIES, ATTACHED, Holds, Links, xref_key

SECOND_RECORD = "tl_second_record"
EQUIPMENT_LINK = "equipment-link"
COUNTERPART = "tl_counterpart_id"
_COPIED_HEADERS = ("ce_correlationid", "ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type")


class Linking:
    """Writes cross-references and held reports. Its state is those two tables."""

    def __init__(self, clock: Clock, rules: MatchRules | None) -> None:
        self._clock = clock
        self._rules = rules
        self.links = Links(rules)
        self.holds = Holds()

    def confidence(self, rule: str) -> int:
        """Of a match rule what the rules say; what was minted, written, referred to or decided is certain."""
        rules = load_match_rules() if self._rules is None else self._rules
        return next((one.confidence_percent for one in rules if one.rule == rule), 100)

    def rejected(self, mapping: str) -> tuple[str, ...]:
        """Canonical ids that a person said the record is not."""
        row = self.links.table.get(mapping)
        return row.rejected if row else ()

    def link(self, mapping: str, canonical_id: str, rule: str, keys: tuple[str, ...], **more: object) -> list[Outbound]:
        """Make the link, and release what waited for it. ``more`` are further fields of the cross-reference."""
        self.put_link(mapping, canonical_id, rule, keys, **more)
        self.holds.table.delete(mapping)
        is_asset = mapping.split("/", 2)[1] in ASSET_ENTITIES
        freed: list[Outbound] = []
        for key, held in self.holds.waiting_for(mapping):
            if held.needs:
                freed += self._freed(key, held)
                continue
            own = self.links.table.get(key)
            own_id = own.canonical_id if own and own.status in ATTACHED else canonical_id
            freed.append(self.released(held, own_id, canonical_id if is_asset else None))
            self.holds.table.delete(key)
        return freed

    def pass_on(self, record: Inbound, origin: Origin, needs: tuple[str, ...]) -> list[Outbound]:
        """A report about the assets of the mappings it ``needs``: under the first one's id, once all are known."""
        missing = self._missing(needs)
        if missing is not None:
            self.hold(record, origin, missing, _unknown(missing), needs)
            return []
        self.holds.table.delete(key_of(origin))
        return [self._under(record, needs)]

    def _freed(self, key: str, held: HeldReport) -> list[Outbound]:
        """A held report whose assets are all known now; else it waits for the next of them."""
        missing = self._missing(held.needs)
        if missing is not None:
            self.holds.table.put(key, held.model_copy(update={"waits_for": missing, "reason": _unknown(missing)}))
            return []
        self.holds.table.delete(key)
        return [self._under(_record_of(held), held.needs)]

    def _missing(self, needs: tuple[str, ...]) -> str | None:
        rows = ((mapping, self.links.table.get(mapping)) for mapping in needs)
        return next((mapping for mapping, row in rows if row is None or row.status not in ATTACHED), None)

    def _under(self, record: Inbound, needs: tuple[str, ...]) -> Outbound:
        rows = [self.links.table.get(mapping) for mapping in needs]
        asset_id, *others = [row.canonical_id for row in rows if row is not None]
        return identified(record, asset_id, asset_id, counterpart_id=next(iter(others), None))

    @staticmethod
    def released(held: HeldReport, canonical_id: str, asset_id: str | None, *, is_second: bool = False) -> Outbound:
        """The held report, as if it came now."""
        return identified(_record_of(held), canonical_id, asset_id, is_second=is_second)

    def put_link(self, mapping: str, canonical_id: str, rule: str, keys: tuple[str, ...], **more: object) -> None:
        """Write the cross-reference. ``more`` are further fields of it."""
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
            confidence_percent=self.confidence(rule),
            rejected=self.rejected(mapping),
        )
        self.links.table.put(mapping, row.model_copy(update=more))

    def hold(self, record: Inbound, origin: Origin, waits_for: str, reason: str, needs: tuple[str, ...] = ()) -> None:
        """Keep a report until ``waits_for`` is known; the last of one record is kept."""
        held = self.holds.table.get(key_of(origin))
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
            needs=needs,
        )
        self.holds.table.put(key_of(origin), row)


def identified(
    record: Inbound,
    canonical_id: str,
    asset_id: str | None,
    *,
    is_second: bool = False,
    counterpart_id: str | None = None,
) -> Outbound:
    """The report, byte for byte, under its canonical id. ``is_second``: another record of the system speaks for it."""
    headers: dict[str, str | bytes] = {k: v for k, v in record.headers if k in _COPIED_HEADERS}
    headers |= pass_on(record) | {"tl_canonical_id": canonical_id, "tl_origin_record": record.coordinates}
    if asset_id is not None:
        headers["tl_asset_id"] = asset_id
    if counterpart_id is not None:
        headers[COUNTERPART] = counterpart_id
    if is_second:
        headers[SECOND_RECORD] = "true"
    return Outbound(IDENTIFIED, canonical_id, record.value or b"", headers)


def _record_of(held: HeldReport) -> Inbound:
    return Inbound(held.topic, held.partition, held.offset, held.key.encode(), held.value)


def _unknown(mapping: str) -> str:
    system, entity, native_id = mapping.split("/", 2)
    return f"{entity} {native_id} of {system} is not known yet"


def retired(row: XRef, now: dt.datetime) -> XRef:
    """The cross-reference as history."""
    return row.model_copy(update={"status": LinkStatus.RETIRED, "valid_to": now.date()})


def key_of(origin: Origin) -> str:
    """Key of a record's cross-reference."""
    return xref_key(origin.system, origin.entity, origin.native_id)
