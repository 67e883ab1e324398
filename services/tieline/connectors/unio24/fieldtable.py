"""Where the canonical fields stand, and the page that shows it: both derived from the profile in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from tieline.connectors.unio24.profile import Profile, load_profile
from tieline.connectors.unio24.records import lists_of, load_records
from tieline.connectors.unio24.resources import AuditResource, CostResource, LinkResource, LinkShare, ReceiverShare
from tieline.connectors.unio24.rules import FieldRule, Fields, kind_of
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.audit_records import AuditFields
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.correspondence import FieldTables, Place, RecordTable
from tieline.kernel.cost_records import CostFields, CostLine
from tieline.kernel.reference_records import ReferenceFields
from tieline.kernel.shapes import FamilyShapes

_HEADER = "| canonical field | kind | {name} | direction | conversion | meaning |\n|---|---|---|---|---|---|"


def tables(settings: Mapping[str, object], *, shapes: FamilyShapes | None = None) -> FieldTables:
    """The place of every canonical field, by the profile that the settings name. Raises ``Stop`` for a faulty one.

    ``shapes`` are the landscape's declared families, of which the setting ``records`` maps some.
    """
    profile = load_profile(Path(str(settings["profile"])))
    assets, books, costs = profile.assets, profile.books, profile.cost_documents
    return {
        "AssetFields": RecordTable(assets.item_path, _places(assets.fields, "", writes=True)),
        "BookFields": RecordTable(books.item_path, _places(books.fields, "", writes=True)),
        "ScheduleLine": RecordTable(books.item_path, _places(books.line_fields, f"{books.lines}.", writes=True)),
        "CostFields": RecordTable(costs.item_path, _places(costs.fields, "", writes=False)),
        "CostLine": RecordTable(costs.item_path, _cost_line_places(costs)),
        **_optional_tables(profile),
        **(_family_tables(settings, shapes) if shapes is not None else {}),
    }


def _cost_line_places(costs: CostResource) -> Mapping[str, Place]:
    places = _places(costs.line_fields, f"{costs.lines}.", writes=False)
    if costs.receivers is None:
        return places
    inner = _places(costs.receivers.fields, f"{costs.lines}.{costs.receivers.path}.", writes=False)
    theirs = tuple(path for place in inner.values() for path in place.read)
    return {**places, "receivers": Place(theirs, note="a share is said in per cent")}


def _optional_tables(profile: Profile) -> FieldTables:
    """Audits, links and reference records, as far as the profile maps them: nothing of them is ever written."""
    found: dict[str, RecordTable] = {}
    if profile.audits is not None:
        places = _places(_audit_rules(profile.audits), "", writes=False)
        found["AuditFields"] = RecordTable(profile.audits.item_path, places)
    if profile.equipment_links is not None:
        found["EquipmentLinkFields"] = RecordTable(
            profile.equipment_links.item_path, _link_places(profile.equipment_links)
        )
    if profile.references:
        paths = ", ".join(one.item_path for one in profile.references.values())
        found["ReferenceFields"] = RecordTable(paths, _reference_places(profile))
    return found


def _audit_rules(audits: AuditResource) -> Fields:
    """The rules of record and line together, their paths as they stand in the record."""
    in_line = {
        name: rule.model_copy(update={"path": f"{audits.lines}.{rule.path}"}) if rule.path else rule
        for name, rule in audits.line_fields.items()
    }
    return {**audits.fields, **in_line}


def _link_places(links: LinkResource) -> Mapping[str, Place]:
    places = dict(_places(links.fields, "", writes=False))
    percent = places.pop("percent", None)
    places.setdefault("asset_system", Place(note="always the system itself"))
    share = replace(percent, note="a share is said in per cent") if percent else Place(note="always the whole")
    for name in ("share_part", "share_whole"):
        places.setdefault(name, share)
    return places


def _reference_places(profile: Profile) -> Mapping[str, Place]:
    """Each field's places, of all families together: the family stands before the key."""
    found: dict[str, Place] = {}
    for family, resource in profile.references.items():
        for name, place in _places(resource.fields, f"{family}: ", writes=False).items():
            before = found.get(name, Place())
            notes = "; ".join(filter(None, (before.note, f"{family}: {place.note}" if place.note else "")))
            found[name] = Place((*before.read, *place.read), note=notes)
    return found


def _family_tables(settings: Mapping[str, object], shapes: FamilyShapes) -> FieldTables:
    files = cast("Mapping[str, str]", settings.get("records", {}))
    found: dict[str, RecordTable] = {}
    for mapped in load_records({name: Path(path) for name, path in files.items()}, shapes).values():
        resource, fields = mapped.resource, mapped.shape.fields
        # Without our reference on their records nothing is ever written there.
        writes = resource.reference is not None
        found[fields.__name__] = RecordTable(resource.item_path, _places(resource.fields, "", writes=writes))
        for name, inner in lists_of(fields).items():
            if name in resource.lists:
                rule = resource.lists[name]
                places = _places(rule.fields, f"{rule.path}.", writes=writes)
                found[inner.__name__] = RecordTable(resource.item_path, places)
    return found


def page(settings: Mapping[str, object]) -> str:
    """The page about the profile that the settings name. Raises ``Stop`` for a faulty one."""
    return render_field_table(load_profile(Path(str(settings["profile"]))))


def _places(rules: Fields, prefix: str, *, writes: bool) -> Mapping[str, Place]:
    places: dict[str, Place] = {}
    for name, rule in rules.items():
        if rule.path is None:
            places[name] = Place(note=f"always {rule.constant}")
            continue
        theirs = tuple(f"{prefix}{path}" for path in (rule.path, rule.currency_path) if path is not None)
        places[name] = Place(theirs, theirs if writes and rule.direction == "both" else ())
    return places


def render_field_table(profile: Profile) -> str:
    """Markdown: one table per kind of record, every canonical field a row, in canonical order. Ends with a newline."""
    sections: list[tuple[str, type[BaseModel], Fields]] = [
        ("Asset", AssetFields, profile.assets.fields),
        ("Finance panel", BookFields, profile.books.fields),
        ("Finance panel: schedule line", ScheduleLine, profile.books.line_fields),
        ("Cost document", CostFields, profile.cost_documents.fields),
        ("Cost document: line", CostLine, profile.cost_documents.line_fields),
    ]
    if profile.cost_documents.receivers is not None:
        sections.append(("Cost document: receiver of a line", ReceiverShare, profile.cost_documents.receivers.fields))
    if profile.audits is not None:
        sections.append(("Physical audit: one thing", AuditFields, _audit_rules(profile.audits)))
    if profile.equipment_links is not None:
        sections.append(("Link of equipment and fixed asset", LinkShare, profile.equipment_links.fields))
    for family, resource in profile.references.items():
        sections.append((f"Reference record: {family}", ReferenceFields, resource.fields))
    parts = [
        f"# Field mapping: {profile.name}",
        "Generated from the profile; do not edit. Written anew by `make docs`.",
        _identity(profile),
    ]
    for title, model, rules in sections:
        writes = title == "Asset" or title.startswith("Finance")
        rows = "\n".join(_rows(model, rules, writes=writes))
        parts.append(f"## {title}\n\n{_HEADER.format(name='UNIO24 field')}\n{rows}")
    return "\n\n".join(parts) + "\n"


def _identity(profile: Profile) -> str:
    assets = profile.assets
    rows = [
        ("hub's reference (`hub_ref`, `asset_id`)", assets.reference, "unique there; a new record is created under it"),
        ("native id", assets.id, "immutable"),
        ("source version", assets.version, "sent as If-Match" if profile.if_match else "read only"),
        ("recorded at", assets.modified_at, f"format {assets.modified_format}; asked for changes by it"),
    ]
    natural = ", ".join(f"`{name}`" for name in sorted(assets.search)) or "none"
    table = "\n".join(f"| {name} | `{path}` | {note} |" for name, path, note in rows)
    return (
        f"| identity of an asset | UNIO24 field | note |\n|---|---|---|\n{table}\n\n"
        f"Natural keys by which a record without reference is adopted: {natural}."
    )


def _rows(model: type[BaseModel], rules: Fields, *, writes: bool) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if name in {"lines", "receivers"}:
            continue  # a table of its own
        rule = rules.get(name)
        meaning = _escaped(info.description or "")
        kind = kind_of(model, name)
        if rule is None:
            yield f"| {name} | {kind} | not mapped | | | {meaning} |"
            continue
        theirs = f"`{rule.path}`" if rule.path else f"always `{rule.constant}`"
        both = writes and rule.path is not None and rule.direction == "both"
        yield f"| {name} | {kind} | {theirs} | {'both' if both else 'read'} | {_conversion(kind, rule)} | {meaning} |"


def _conversion(kind: str, rule: FieldRule) -> str:
    notes: list[str] = []
    if rule.values is not None:
        pairs = (f"{ours} = {' or '.join(str(v) for v in theirs)}" for ours, theirs in rule.values.items())
        notes.append(", ".join(pairs))
        notes.append("others become UNKNOWN" if kind == "enum" else f"others: {rule.otherwise}")
    if kind == "date":
        notes.append(f"date, {rule.format or 'iso'}")
    if kind == "money":
        notes.append(f"currency in `{rule.currency_path}`" if rule.currency_path else f"currency {rule.currency}")
    notes += _limits(kind, rule)
    if rule.absent:
        notes.append(f"none when {', '.join(rule.absent)}")
    return _escaped("; ".join(notes))


def _limits(kind: str, rule: FieldRule) -> Iterator[str]:
    if kind in ("money", "decimal"):
        yield f"exact decimal, mark {rule.decimal_mark}"
    if rule.group_mark is not None:
        yield f"grouped by {rule.group_mark or 'nothing'}, brackets and currency symbol allowed"
    if rule.binary_float:
        yield "computed in binary floating point"
    if rule.max_length is not None:
        yield f"at most {rule.max_length} characters, longer is refused"
    if rule.letter_case is not None:
        yield f"kept in {rule.letter_case} case"
    if rule.decimals is not None:
        yield f"at most {rule.decimals} digits after the point, more is refused"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
