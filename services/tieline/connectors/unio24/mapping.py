"""Their records to reports, and our fields to their records. Pure: profile in, value out, no clock, no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tieline.connectors.kit.paths import has_key, put_at, value_at
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.connectors.unio24.conversion import from_theirs, read_time, to_theirs
from tieline.connectors.unio24.models import ASSETS, BOOKS, COST_DOCUMENTS, Record
from tieline.connectors.unio24.profile import Profile, field_sections
from tieline.connectors.unio24.resources import CostResource, ReceiverShare, Resource
from tieline.connectors.unio24.rules import FieldRule, Fields, kind_of
from tieline.kernel.asset_records import CLEARABLE, AssetFields, AssetReport
from tieline.kernel.audit_records import AuditFields
from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.code_lists import LISTED, SHARED, Codes, ListName
from tieline.kernel.cost_records import CostFields, CostLine, CostReceiver, CostReport, ReceiverKind
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import FAMILIES
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Origin

MAX_ITEM_BYTES = 4_000_000
M = TypeVar("M", bound=BaseModel)
Coded = TypeVar("Coded", AssetFields, BookFields, CostFields)


def map_item(profile: Profile, system: str, item: RawItem, codes: Codes = SHARED) -> Sequence[Report]:
    """The reports in one raw record: exactly one. Raises ``Rejected`` with the path of the offending key."""
    record = parse_record(item)
    reports: Mapping[str, Callable[[Profile, str, Record, Codes], Report]] = {
        ASSETS: asset_report,
        COST_DOCUMENTS: cost_report,
        BOOKS: book_report,
    }
    if item.stream not in reports:
        raise Rejected(f"there is no stream {item.stream}", field="stream")
    return [reports[item.stream](profile, system, record, codes)]


def parse_record(item: RawItem) -> Record:
    """Their record in a raw item. Raises ``Rejected`` if it is none."""
    try:
        record = parse_json(item.payload, max_bytes=MAX_ITEM_BYTES)
    except JsonError as error:
        raise Rejected(f"the record is not acceptable JSON: {error}", field="$") from None
    if not isinstance(record, Mapping):
        raise Rejected("the record is not an object", field="$")
    return record


def asset_report(profile: Profile, system: str, record: Record, codes: Codes = SHARED) -> AssetReport:
    """One asset of theirs."""
    resource = profile.assets
    reference = value_at(record, resource.reference)
    if reference is not None and not isinstance(reference, str):
        raise Rejected("must be text", field=resource.reference)
    origin = origin_of(
        resource, system, "asset", identifier(record, resource.id), record, hub_ref=(reference or "").strip() or None
    )
    fields = read_fields(AssetFields, resource.fields, record)
    fields = _canonical(fields, codes, origin.recorded_at.date(), resource.fields)
    return AssetReport(origin=origin, fields=fields, cleared=_cleared(resource.fields, fields, record))


def _cleared(rules: Fields, fields: AssetFields, record: Record) -> tuple[str, ...]:
    """Fields whose key is there and holds nothing; a record without the key says nothing of them."""
    mapped = [name for name in sorted(CLEARABLE) if (rule := rules.get(name)) is not None and rule.path is not None]
    return tuple(name for name in mapped if getattr(fields, name) is None and has_key(record, str(rules[name].path)))


def book_report(profile: Profile, system: str, record: Record, codes: Codes = SHARED) -> BookReport:
    """One finance panel of theirs: their copy of an ERP's book."""
    resource = profile.books
    lines = [
        read_fields(ScheduleLine, resource.line_fields, line, place=f"{resource.lines}.{place}.")
        for place, line in lines_at(record, resource.lines)
    ]
    fields = read_fields(BookFields, resource.fields, record, lines=tuple(lines))
    asset_id = identifier(record, resource.asset_id)
    origin = origin_of(resource, system, "book", book_id_of(asset_id, fields.book_id), record)
    fields = _canonical(fields, codes, fields.as_of, resource.fields)
    return BookReport(origin=origin, asset_native_id=asset_id, fields=fields)


def cost_report(profile: Profile, system: str, record: Record, codes: Codes = SHARED) -> CostReport:
    """One cost document of theirs. Raises ``Rejected`` when its total is not the sum of its lines (Invariant 11)."""
    resource = profile.cost_documents
    lines = [
        read_fields(CostLine, resource.line_fields, line, place=f"{resource.lines}.{place}.", line_no=place + 1)
        for place, line in lines_at(record, resource.lines)
    ]
    fields = read_fields(CostFields, resource.fields, record, lines=tuple(lines))
    total = sum((line.amount for line in lines), Decimal(0))
    if total != fields.total:
        raise Rejected(
            f"is {fields.total}, but the lines add up to {total}",
            field=str(resource.fields["total"].path),
            remedy="correct the document in its system",
        )
    origin = origin_of(resource, system, "cost-document", identifier(record, resource.id), record)
    fields = _canonical(fields, codes, fields.effective_date, resource.fields)
    borne = tuple(
        line.model_copy(update={"receivers": _receivers(resource, part, f"{resource.lines}.{place}.", codes, fields)})
        for line, (place, part) in zip(fields.lines, lines_at(record, resource.lines), strict=True)
    )
    return CostReport(origin=origin, fields=fields.model_copy(update={"lines": borne}))


def _receivers(
    resource: CostResource, line: Record, place: str, codes: Codes, fields: CostFields
) -> tuple[CostReceiver, ...]:
    """Who bears a line of theirs, in exact fractions; none where it does not say."""
    rule = resource.receivers
    if rule is None or value_at(line, rule.path) is None:
        return ()
    found: list[CostReceiver] = []
    for number, record in lines_at(line, rule.path, place=place):
        here = f"{place}{rule.path}.{number}."
        said = read_fields(ReceiverShare, rule.fields, record, place=here)
        code, share = said.code, Fraction(said.percent) / 100
        if said.kind is ReceiverKind.COST_CENTRE:
            code = codes.canonical(
                "cost-centre", code, fields.effective_date, place=f"{here}{rule.fields['code'].path}"
            )
        found.append(CostReceiver(kind=said.kind, code=code, share_part=share.numerator, share_whole=share.denominator))
    return tuple(found)


def book_id_of(asset_id: str, book_id: str) -> str:
    """The native id of a book."""
    return f"{asset_id}|{book_id}"


def identifier(record: Record, path: str) -> str:
    """The record's id as text; raises ``Rejected`` when it has none."""
    value = value_at(record, path)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise Rejected("every record needs an id", field=path, remedy="check the key in the profile")
    return str(value).strip()


def version_of(resource: Resource, record: Record) -> str:
    """The record's version as text; raises ``Rejected`` when it has none."""
    value = value_at(record, resource.version)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Rejected("every record needs a version", field=resource.version, remedy="check the key in the profile")
    return str(value)


def check_mapped_once(profile: Profile, codes: Codes) -> None:
    """Raise ``Stop`` for a field that both the profile and the landscape's code lists translate."""
    for place, model, rules in _mapped_fields(profile):
        for name, listed in LISTED.get(model, {}).items():
            _check_once(profile, codes, listed, f"{place}.{name}", rules.get(name))
    for family, resource in profile.references.items():
        listed_as = FAMILIES[family]
        for name in ("code", "parent") if listed_as else ():
            _check_once(profile, codes, listed_as, f"references.{family}.fields.{name}", resource.fields.get(name))


def _mapped_fields(profile: Profile) -> Iterator[tuple[str, type[BaseModel], Fields]]:
    for (section, key), model, _ in field_sections():
        yield f"{section}.{key}", model, getattr(getattr(profile, section), key)
    if profile.audits is not None:
        yield "audits.fields", AuditFields, profile.audits.fields
        yield "audits.line_fields", AuditFields, profile.audits.line_fields


def _check_once(profile: Profile, codes: Codes, listed: ListName | None, place: str, rule: FieldRule | None) -> None:
    if rule and listed and codes.has(listed) and (rule.values is not None or rule.constant is not None):
        raise Stop(
            f"profile {profile.name}: {place} has its own values, and the landscape has "
            f"code_lists.{listed}.{codes.system}; keep one of them"
        )


def native_asset(profile: Profile, fields: AssetFields, only: Collection[str] | None = None) -> dict[str, object]:
    """Their keys for the known values of ``fields`` (``only`` these of them); fields of direction ``in`` left out."""
    names = [name for name in AssetFields.model_fields if only is None or name in only]
    return write_fields(profile.assets.fields, fields, names)


def writable_names(profile: Profile) -> frozenset[str]:
    """Canonical asset fields that this profile writes."""
    return frozenset(name for name, rule in profile.assets.fields.items() if rule.path and rule.direction != "in")


def asset_after(
    profile: Profile,
    fields: AssetFields,
    *,
    only: Collection[str] | None = None,
    codes: Codes = SHARED,
    day: dt.date | None = None,
) -> AssetFields:
    """What they will hold of ``fields`` (``only`` these), after their trimming and coding: comparable with reports."""
    record = native_asset(profile, codes.native_fields(fields, day, only=only), only)
    rules = {name: rule for name, rule in profile.assets.fields.items() if name in writable_names(profile)}
    return _canonical(read_fields(AssetFields, rules, record), codes, day, rules)


def native_book(profile: Profile, fields: BookFields) -> dict[str, object]:
    """Their whole finance panel for one book."""
    resource = profile.books
    record = write_fields(resource.fields, fields, [n for n in BookFields.model_fields if n != "lines"])
    names = list(ScheduleLine.model_fields)
    lines = [write_fields(resource.line_fields, line, names) for line in fields.lines]
    put_at(record, resource.lines, lines)
    return record


def book_after(profile: Profile, fields: BookFields, codes: Codes = SHARED) -> BookFields:
    """What they will hold of ``fields``, after their trimming and coding: comparable with what they report."""
    resource, record = profile.books, native_book(profile, codes.native_fields(fields, fields.as_of))
    lines = [read_fields(ScheduleLine, resource.line_fields, line) for _, line in lines_at(record, resource.lines)]
    held = read_fields(BookFields, resource.fields, record, lines=tuple(lines), book_id=fields.book_id)
    return _canonical(held, codes, fields.as_of, resource.fields)


def _canonical(fields: Coded, codes: Codes, day: dt.date | None, rules: Fields) -> Coded:
    return codes.canonical_fields(fields, day, place=lambda name: rules[name].path or name)


def write_fields(rules: Fields, fields: BaseModel, names: Sequence[str]) -> dict[str, object]:
    """Their keys and values for these of our fields; fields of direction ``in`` and unknown values left out."""
    record: dict[str, object] = {}
    for name in names:
        rule, value = rules.get(name), getattr(fields, name)
        # None means unknown, never empty: what we do not know we do not overwrite.
        if rule is None or rule.path is None or rule.direction == "in" or value is None:
            continue
        for path, theirs in to_theirs(name, rule, value).items():
            put_at(record, path, theirs)
    return record


def read_fields(model: type[M], rules: Fields, record: Record, *, place: str = "", **given: object) -> M:
    """Our record of theirs; ``given`` are fields that are there already. Raises ``Rejected`` naming their key."""
    try:
        return model.model_validate(given | read_values(model, rules, record, place=place))
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        path = (rules[name].path if name in rules else None) or name
        reason = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        raise Rejected(reason, field=f"{place}{path}", remedy=f"canonical field {name}; correct the record") from None


def read_values(model: type[BaseModel], rules: Fields, record: Record, *, place: str = "") -> dict[str, object]:
    """The canonical values that a record of theirs has, by field. Raises ``Rejected`` naming their key."""
    values: dict[str, object] = {}
    for name, rule in rules.items():
        try:
            value = from_theirs(model, name, rule, record)
        except Rejected as error:
            raise Rejected(error.reason, field=f"{place}{error.field}", remedy=error.remedy) from None
        if value is not None:
            values[name] = _plain(model, name, value)
    return values


def _plain(model: type[BaseModel], name: str, value: object) -> object:
    # Money arrives unchecked; as a mapping it is validated with the record that holds it.
    return dict(value) if isinstance(value, BaseModel) and kind_of(model, name) == "money" else value


def lines_at(record: Record, path: str, *, place: str = "") -> list[tuple[int, Record]]:
    """The records in a list of theirs, counted from 0. Raises ``Rejected`` if it is none."""
    lines = value_at(record, path)
    if not isinstance(lines, list):
        raise Rejected("must be a list", field=f"{place}{path}")
    for number, line in enumerate(lines):
        if not isinstance(line, Mapping):
            raise Rejected("must be an object", field=f"{place}{path}.{number}")
    return list(enumerate(lines))


def origin_of(
    resource: Resource, system: str, entity: str, native_id: str, record: Record, *, hub_ref: str | None = None
) -> Origin:
    """Where a record comes from. Raises ``Rejected`` naming the key of theirs that does not say it."""
    at = value_at(record, resource.modified_at)
    if at is None or at == "":
        raise Rejected("every record needs a modification time", field=resource.modified_at)
    try:
        return Origin(
            system=system,
            entity=entity,
            native_id=native_id,
            source_version=version_of(resource, record),
            recorded_at=read_time(at, resource.modified_format, resource.modified_at),
            hub_ref=hub_ref,
        )
    except ValidationError as error:
        fault = error.errors()[0]
        raise Rejected(fault["msg"], field=str(fault["loc"][0])) from None
