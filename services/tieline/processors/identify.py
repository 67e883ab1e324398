"""identify: which reports speak of the same thing. Gives each report its canonical id, or holds it.

Everything about one thing then follows in one order on ``hub.identified.report.v1``, whichever system spoke.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.audit_records import AuditReport, AuditResult
from tieline.kernel.book_records import BookReport
from tieline.kernel.clock import Clock
from tieline.kernel.code_lists import CodeLists
from tieline.kernel.command_records import CommandSettled, SettledAs
from tieline.kernel.cost_records import CostReport
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.matching import MatchRules
from tieline.kernel.memory import A_PERSON, LinkAction, LinkDecision, LinkStatus, XRef
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.order_records import InvoiceFields, InvoiceReport, OrderReport, ReceiptFields, ReceiptReport
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reference_records import FAMILIES, ReferenceReport
from tieline.kernel.vocabulary import Origin
from tieline.processors.combining import merge_links, separate_links
from tieline.processors.families import identify_record
from tieline.processors.identity import match_keys, mint_id, rule_of
from tieline.processors.linking import EQUIPMENT_LINK, Linking, identified, key_of, retired
from tieline.processors.links import ASSET_ENTITIES, ATTACHED, xref_key
from tieline.processors.reference_codes import identify_reference

AUDIT = "audit"


class Identify:
    """The handler. Its state is the cross-reference and the held reports.

    ``books_kept_by``: systems whose records stand in the books; two of one such system are never made one.
    ``code_lists``: the landscape's, for what goes by its code.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        books_kept_by: Collection[str] = frozenset(),
        rules: MatchRules | None = None,
        code_lists: CodeLists | None = None,
    ) -> None:
        self._code_lists = code_lists or {}
        self._rules = rules
        self._clock = clock
        self._books_kept_by = frozenset(books_kept_by)
        self._made = Linking(clock, rules)
        self.links = self._made.links
        self.holds = self._made.holds

    def handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        """See ``Processor``."""
        match value.body:
            case AssetReport() as report:
                _check_entity(report.origin, ASSET_ENTITIES)
                return self._asset(record, report)
            case BookReport() | MovementReport() | CostReport() | EquipmentLinkReport() | AuditReport() as report:
                return self._of_asset(record, report)
            case OrderReport() | ReceiptReport() | InvoiceReport() as report:
                return self._purchase(record, report)
            case ReferenceReport() | FamilyReport() as report:
                return self._keyed(record, report)
            case CommandSettled() as settled:
                return self._settled(settled)
            case LinkDecision() as decision:
                return self._decide(record, decision)
            case _:
                raise Rejected(f"{value.name} is not a report")

    def _of_asset(
        self, record: Inbound, report: BookReport | MovementReport | CostReport | EquipmentLinkReport | AuditReport
    ) -> list[Outbound]:
        if isinstance(report, CostReport):
            _check_entity(report.origin, frozenset({"cost-document"}))
            return self._cost(record, report)
        if isinstance(report, MovementReport):
            _check_entity(report.origin, frozenset({"movement"}))
            return self._made.pass_on(record, report.origin, _assets_of(report))
        if isinstance(report, AuditReport):
            return self._audit(record, report)
        if isinstance(report, EquipmentLinkReport):
            _check_entity(report.origin, frozenset({EQUIPMENT_LINK}))
            return self._made.pass_on(record, report.origin, _ends_of(report))
        _check_entity(report.origin, frozenset({"book"}))
        asset = self.links.of(report.origin.system, "asset", report.asset_native_id)
        return self._dependent(record, report.origin, report.asset_native_id, asset, None)

    def _audit(self, record: Inbound, report: AuditReport) -> list[Outbound]:
        _check_entity(report.origin, frozenset({AUDIT}))
        needs = _audited(report)
        if not needs:  # a thing without a record goes under the key of the document that tells of it
            return [identified(record, key_of(report.origin), None)]
        return self._made.pass_on(record, report.origin, needs)

    def _keyed(self, record: Inbound, report: ReferenceReport | FamilyReport) -> list[Outbound]:
        if isinstance(report, FamilyReport):
            return identify_record(record, report, self._made, lambda: mint_id(record))
        _check_entity(report.origin, frozenset(FAMILIES))
        return [identify_reference(record, report, self._code_lists)]

    def _purchase(self, record: Inbound, report: OrderReport | ReceiptReport | InvoiceReport) -> list[Outbound]:
        match report:
            case OrderReport():
                _check_entity(report.origin, frozenset({"purchase-order"}))
                return self._order(record, report.origin)
            case ReceiptReport():
                _check_entity(report.origin, frozenset({"receipt"}))
            case InvoiceReport():
                _check_entity(report.origin, frozenset({"invoice"}))
        return self._document(record, report.origin, report.fields)

    def _asset(self, record: Inbound, report: AssetReport) -> list[Outbound]:
        origin = report.origin
        known = self.links.of(origin.system, origin.entity, origin.native_id)
        keys = match_keys(report, self._rules)
        if known and known.status in ATTACHED:
            if known.match_keys != keys:
                self.links.table.put(key_of(origin), known.model_copy(update={"match_keys": keys}))
            is_second = known.status is LinkStatus.MERGED_INTO
            return [identified(record, known.canonical_id, None, is_second=is_second)]
        if report.deleted:
            return self._gone(key_of(origin), known)
        found = self._recognise(record, origin, known, keys)
        if isinstance(found, Doubt):
            self._propose(record, origin, found, keys)
            return []
        canonical_id, rule = found
        return [
            identified(record, canonical_id, None),
            *self._made.link(key_of(origin), canonical_id, rule, keys, valid_from=origin.recorded_at.date()),
        ]

    def _gone(self, mapping: str, known: XRef | None) -> list[Outbound]:
        """A record that was never linked is deleted: there is nothing to make, and nothing left to decide."""
        if known is not None and known.status is LinkStatus.PROPOSED:
            self.links.table.put(mapping, retired(known, self._clock()))
        self.holds.table.delete(mapping)
        return []

    def _recognise(
        self, record: Inbound, origin: Origin, known: XRef | None, keys: tuple[str, ...]
    ) -> tuple[str, str] | Doubt:
        """The canonical id of a record that has none yet, and by which rule; or why only a person can tell."""
        rejected = frozenset(known.rejected) if known else frozenset()
        referred = self.links.survivor(origin.hub_ref) if origin.hub_ref else None
        if referred and referred not in rejected and self.links.knows_asset(referred):
            return self._claim(origin, referred, "hub-ref", "carries the same reference as")
        if known is not None and known.status is LinkStatus.RETIRED:
            return self._claim(origin, self.links.survivor(known.canonical_id), known.rule, "gave its place to")
        for key in keys:
            candidates, rule = self.links.having(key, origin.system) - rejected, rule_of(key, self._rules)
            if len(candidates) > 1:
                return Doubt(min(candidates), rule.rule, f"{key} fits {len(candidates)} assets")
            for candidate in candidates:
                if rule.decide == "propose":
                    return Doubt(candidate, rule.rule, f"has the same {key}, which only proposes a link")
                return self._claim(origin, candidate, rule.rule, f"has the same {key} as")
        return mint_id(record), "minted"

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
            confidence_percent=self._made.confidence(doubt.rule),
            rejected=self._made.rejected(key_of(origin)),
        )
        known = self.links.table.get(key_of(origin))
        if known is None or known.model_copy(update={"linked_at": row.linked_at}) != row:
            self.links.table.put(key_of(origin), row)
        self._made.hold(record, origin, A_PERSON, doubt.reason)

    def _order(self, record: Inbound, origin: Origin) -> list[Outbound]:
        known = self.links.of(origin.system, origin.entity, origin.native_id)
        if known is not None:
            return [identified(record, known.canonical_id, None)]
        minted = mint_id(record)
        return [identified(record, minted, None), *self._made.link(key_of(origin), minted, "minted", ())]

    def _document(self, record: Inbound, origin: Origin, fields: ReceiptFields | InvoiceFields) -> list[Outbound]:
        """A receipt or an invoice, under its order's id: one order for all that is said of one purchase."""
        system, number = fields.order_system or origin.system, fields.order_native_id
        order = self.links.of(system, "purchase-order", number)
        if order is None:
            waits_for = xref_key(system, "purchase-order", number)
            self._made.hold(record, origin, waits_for, f"purchase order {number} of {system} is not known yet")
            return []
        self.holds.table.delete(key_of(origin))
        return [identified(record, order.canonical_id, None)]

    def _cost(self, record: Inbound, report: CostReport) -> list[Outbound]:
        _check_entity(report.origin, frozenset({"cost-document"}))
        canonical_id = self._own_id(record, report.origin)
        if report.fields.asset_native_id is None:
            self.holds.table.delete(key_of(report.origin))
            return [identified(record, canonical_id, None)]
        asset = self.links.of(report.origin.system, "asset", report.fields.asset_native_id)
        return self._dependent(record, report.origin, report.fields.asset_native_id, asset, canonical_id)

    def _dependent(
        self, record: Inbound, origin: Origin, asset_native_id: str, asset: XRef | None, own_id: str | None
    ) -> list[Outbound]:
        """A report about an asset: under the asset's id (or its own), once the asset is known."""
        if asset is None or asset.status not in ATTACHED:
            waits_for = xref_key(origin.system, "asset", asset_native_id)
            self._made.hold(record, origin, waits_for, f"asset {asset_native_id} of {origin.system} is not known yet")
            return []
        self.holds.table.delete(key_of(origin))
        return [identified(record, own_id or asset.canonical_id, asset.canonical_id)]

    def _own_id(self, record: Inbound, origin: Origin) -> str:
        known = self.links.of(origin.system, origin.entity, origin.native_id)
        if known is not None:
            return known.canonical_id
        minted = mint_id(record)
        self._made.put_link(key_of(origin), minted, "minted", ())
        return minted

    def _settled(self, settled: CommandSettled) -> list[Outbound]:
        if settled.outcome is not SettledAs.CONFIRMED or settled.native_id is None or settled.entity == "book":
            return []
        native_id, canonical_id = settled.native_id, self.links.survivor(settled.canonical_id)
        if native_id == canonical_id:
            return []  # a surplus record was removed by its native id: its source reports that it is gone
        known = self.links.of(settled.target, settled.entity, native_id)
        if known and known.status in ATTACHED:
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
            mapping = xref_key(previous.system, previous.entity, previous.native_id)
            self.links.table.put(mapping, retired(previous, self._clock()))
        keys = known.match_keys if known else ()
        mapping = xref_key(settled.target, settled.entity, native_id)
        held = self.holds.table.get(mapping)
        own = [self._made.released(held, canonical_id, None)] if held else []
        return [*own, *self._made.link(mapping, canonical_id, "result", keys)]

    def _decide(self, record: Inbound, decision: LinkDecision) -> list[Outbound]:
        match decision.action:
            case LinkAction.CONFIRM:
                return self._confirm(decision)
            case LinkAction.REJECT:
                return self._reject(record, decision)
            case LinkAction.MERGE:
                return [identified(record, merge_links(self.links, decision, self._books_kept_by), None)]
            case LinkAction.UNMERGE:
                return [identified(record, separate_links(self.links, decision), None)]
            case _:
                raise Rejected(f"{decision.action} is no decision", field="action")

    def _proposed(self, decision: LinkDecision) -> tuple[str, XRef]:
        mapping = decision.mapping or ""
        row = self.links.table.get(mapping)
        if row is None or row.status is not LinkStatus.PROPOSED:
            standing = "unknown" if row is None else row.status.lower()
            raise Rejected(f"{mapping} is {standing}, not proposed", field="mapping", remedy="see: tieline links list")
        return mapping, row

    def _confirm(self, decision: LinkDecision) -> list[Outbound]:
        """The record is the thing: its own, or a second one there if its system has one already."""
        mapping, row = self._proposed(decision)
        canonical_id = self.links.survivor(decision.canonical_id or row.canonical_id)
        if not self.links.knows_asset(canonical_id):
            raise Rejected(f"{canonical_id} is no asset of the hub", field="canonical_id")
        first = self.links.linked(canonical_id, row.system, row.entity)
        if first is not None and row.system in self._books_kept_by:
            raise Rejected(
                f"record {first.native_id} of {row.system} is that asset and stands in the books, as this one does",
                field="mapping",
                remedy=f"transfer one to the other in {row.system}, or reject the proposal",
            )
        status = LinkStatus.LINKED if first is None else LinkStatus.MERGED_INTO
        held = self.holds.table.get(mapping)
        own = [self._made.released(held, canonical_id, None, is_second=first is not None)] if held else []
        link = {"status": status, "linked_by": decision.by, "valid_from": decision.at.date()}
        return [*own, *self._made.link(mapping, canonical_id, "person", row.match_keys, **link)]

    def _reject(self, record: Inbound, decision: LinkDecision) -> list[Outbound]:
        """The record is not what was proposed, and that pair is never proposed again: the next key, or a new thing."""
        mapping, row = self._proposed(decision)
        update = {
            "status": LinkStatus.REJECTED,
            "rejected": (*row.rejected, row.canonical_id),
            "linked_by": decision.by,
        }
        refused = row.model_copy(update=update)
        self.links.table.put(mapping, refused)
        held = self.holds.table.get(mapping)
        if held is None:
            return []
        origin = Origin(
            system=row.system, entity=row.entity, native_id=row.native_id, source_version="", recorded_at=decision.at
        )
        found = self._recognise(record, origin, refused, row.match_keys)
        if isinstance(found, Doubt):
            other = {"status": LinkStatus.PROPOSED, "canonical_id": found.canonical_id, "rule": found.rule}
            self.links.table.put(mapping, refused.model_copy(update=other))
            self.holds.table.put(mapping, held.model_copy(update={"reason": found.reason}))
            return []
        canonical_id, rule = found
        own = self._made.released(held, canonical_id, None)
        return [own, *self._made.link(mapping, canonical_id, rule, row.match_keys, linked_by=decision.by)]


def _assets_of(report: MovementReport) -> tuple[str, ...]:
    """Mappings of the assets that a movement is about, its own first."""
    natives = (report.fields.asset_native_id, report.fields.counterpart_native_id)
    return tuple(xref_key(report.origin.system, "asset", native) for native in natives if native is not None)


def _ends_of(report: EquipmentLinkReport) -> tuple[str, ...]:
    """Mappings of the equipment and of the fixed asset that a link names."""
    fields = report.fields
    return (
        xref_key(report.origin.system, "asset", fields.equipment_native_id),
        xref_key(fields.asset_system, "asset", fields.asset_native_id),
    )


def _audited(report: AuditReport) -> tuple[str, ...]:
    """Mapping of the asset that an audit looked for; none for a thing without a record."""
    origin, fields = report.origin, report.fields
    if fields.result is AuditResult.UNKNOWN:
        raise Rejected("the result is a code this version does not know", field="fields.result")
    if (fields.asset_native_id is None) != (fields.result is AuditResult.UNREGISTERED):
        raise Rejected(
            f"{fields.result} names {'no' if fields.asset_native_id is None else 'a'} record",
            field="fields.asset_native_id",
            remedy="name the asset's record, or say UNREGISTERED of what has none",
        )
    return (xref_key(origin.system, "asset", fields.asset_native_id),) if fields.asset_native_id else ()


def _check_entity(origin: Origin, allowed: frozenset[str]) -> None:
    if origin.entity not in allowed:
        raise Rejected(
            f"{origin.entity!r} is not {' or '.join(sorted(allowed))}",
            field="origin.entity",
            remedy="correct the connector's mapping",
        )


class Doubt:
    """A record that may be a known thing, but whose place there is taken, or that fits several: a person decides."""

    def __init__(self, canonical_id: str, rule: str, reason: str) -> None:
        self.canonical_id = canonical_id
        self.rule = rule
        self.reason = reason
