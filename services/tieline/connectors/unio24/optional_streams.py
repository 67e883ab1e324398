"""Streams that a profile may map: physical audits, links of equipment and fixed assets, reference records. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from tieline.connectors.unio24.conversion import holds
from tieline.connectors.unio24.mapping import identifier, lines_at, origin_of, read_fields, read_values
from tieline.connectors.unio24.models import AUDITS, EQUIPMENT_LINKS, Record, reference_stream
from tieline.connectors.unio24.profile import Profile
from tieline.connectors.unio24.resources import AuditResource, LinkResource, LinkShare, ReferenceResource
from tieline.kernel.audit_records import AuditFields, AuditReport
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.equipment_records import EquipmentLinkFields, EquipmentLinkReport
from tieline.kernel.errors import Rejected
from tieline.kernel.reference_records import ReferenceFields, ReferenceReport
from tieline.kernel.reports import Report

OptionalResource = AuditResource | LinkResource | ReferenceResource


def optional_resources(profile: Profile) -> Mapping[str, OptionalResource]:
    """What the profile maps beside assets, books and costs, by stream; reference records first.

    Who may have a thing in charge is then known before the things are read.
    """
    found: dict[str, OptionalResource] = {reference_stream(name): one for name, one in profile.references.items()}
    if profile.equipment_links is not None:
        found[EQUIPMENT_LINKS] = profile.equipment_links
    if profile.audits is not None:
        found[AUDITS] = profile.audits
    return found


def optional_reports(
    profile: Profile, system: str, stream: str, record: Record, codes: Codes = SHARED
) -> Sequence[Report]:
    """The reports in one record of such a stream. Raises ``Rejected`` naming the key of theirs that is at fault."""
    resource = optional_resources(profile).get(stream)
    match resource:
        case AuditResource():
            return list(audit_reports(resource, system, record, codes))
        case LinkResource():
            return [link_report(resource, system, record)]
        case ReferenceResource():
            family = next(name for name in profile.references if reference_stream(name) == stream)
            return [reference_report(resource, system, family, record)]
        case None:
            raise Rejected(f"there is no stream {stream}", field="stream")


def audit_reports(resource: AuditResource, system: str, record: Record, codes: Codes = SHARED) -> Iterator[AuditReport]:
    """What an audit says of each thing, in its order; nothing while it is not complete.

    The id of a result is the audit's, and with lines ``<audit id>|<line id>``: what comes again comes as itself.
    """
    if resource.complete is not None and not holds(resource.complete, record):
        return
    audit_id = identifier(record, resource.id)
    if resource.lines is None:
        fields = _coded(resource, read_fields(AuditFields, resource.fields, record), codes)
        yield AuditReport(origin=origin_of(resource, system, "audit", audit_id, record), fields=fields)
        return
    shared = read_values(AuditFields, resource.fields, record)
    for number, line in lines_at(record, resource.lines):
        place = f"{resource.lines}.{number}."
        fields = read_fields(AuditFields, resource.line_fields, line, place=place, **shared)
        try:
            line_id = identifier(line, str(resource.line_id))
        except Rejected as error:
            raise Rejected(error.reason, field=f"{place}{error.field}", remedy=error.remedy) from None
        origin = origin_of(resource, system, "audit", f"{audit_id}|{line_id}", record)
        yield AuditReport(origin=origin, fields=_coded(resource, fields, codes))


def _coded(resource: AuditResource, fields: AuditFields, codes: Codes) -> AuditFields:
    rules = {**resource.fields, **resource.line_fields}
    return codes.canonical_fields(fields, fields.audited_on, place=lambda name: rules[name].path or name)


def link_report(resource: LinkResource, system: str, record: Record) -> EquipmentLinkReport:
    """One link of theirs, its share as an exact fraction."""
    said = read_fields(LinkShare, resource.fields, record)
    share = _share_of(said, resource)
    fields = EquipmentLinkFields(
        equipment_native_id=said.equipment_native_id,
        asset_system=said.asset_system or system,
        asset_native_id=said.asset_native_id,
        share_part=share.numerator,
        share_whole=share.denominator,
        quantity=said.quantity,
        valid_from=said.valid_from,
        valid_to=said.valid_to,
    )
    native_id = identifier(record, resource.id)
    return EquipmentLinkReport(origin=origin_of(resource, system, "equipment-link", native_id, record), fields=fields)


def _share_of(said: LinkShare, resource: LinkResource) -> Fraction:
    if said.percent is not None:
        return Fraction(said.percent) / 100
    if said.share_part is None and said.share_whole is None:
        return Fraction(1)
    if said.share_part is None or not said.share_whole:
        name = "share_part" if said.share_part is None else "share_whole"
        raise Rejected(
            "a share needs a part and a whole above 0",
            field=resource.fields[name].path,
            remedy="correct the link in its system",
        )
    return Fraction(said.share_part, said.share_whole)


def reference_report(resource: ReferenceResource, system: str, family: str, record: Record) -> ReferenceReport:
    """One reference record of theirs, with their own code: identify gives it the canonical one."""
    return ReferenceReport(
        origin=origin_of(resource, system, family, identifier(record, resource.id), record),
        fields=read_fields(ReferenceFields, resource.fields, record),
        deleted=resource.deleted is not None and holds(resource.deleted, record),
    )
