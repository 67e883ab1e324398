"""The catalogue's tables and the field page of a connector, from its declared maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tieline.connectors.kit.fieldmap import FieldRule, RecordMap
from tieline.kernel.correspondence import FieldTables, Place, RecordTable

_HEADER = "| canonical field | {name} | direction | conversion | meaning |\n|---|---|---|---|---|"
_ARROWS = {"both": "both ways", "in": "read only", "out": "written only"}


def tables_of(maps: Sequence[RecordMap]) -> FieldTables:
    """The place of every field that the maps have, by canonical record."""
    return {one.model.__name__: RecordTable(one.native, _places(one)) for one in maps}


def page_of(maps: Sequence[RecordMap], title: str, facts: Sequence[str] = ()) -> str:
    """The page as Markdown: ``facts``, then one table per map, every canonical field a row. Ends with a newline."""
    parts = [
        f"# Field mapping: {title}",
        "Generated from the connector's maps; do not edit. Written anew by `make docs`.",
    ]
    parts += facts
    for one in maps:
        rows = "\n".join(_rows(one))
        parts += [f"## {one.title or one.model.__name__}", *one.remarks, f"{_HEADER.format(name=one.native)}\n{rows}"]
    return "\n\n".join(parts) + "\n"


def _places(one: RecordMap) -> Mapping[str, Place]:
    found: dict[str, Place] = {}
    for rule in one.rules:
        earlier = found.get(rule.name, Place())
        read = (*earlier.read, rule.path) if rule.direction != "out" and rule.path else earlier.read
        written = (*earlier.written, rule.written_at) if one.writes and rule.direction != "in" else earlier.written
        found[rule.name] = Place(read, written, rule.note or rule.kind.says)
    return found


def _rows(one: RecordMap) -> Iterator[str]:
    rules: dict[str, list[FieldRule]] = {}
    for rule in one.rules:
        rules.setdefault(rule.name, []).append(rule)
    for name, field in one.model.model_fields.items():
        meaning = field.description or ""
        if name not in rules:
            yield _row(f"`{name}`", "", "not mapped", "", meaning)
        for rule in rules.get(name, ()):
            theirs = f"`{rule.path}`" if rule.path else ""
            if one.writes and rule.direction != "in" and rule.written_at != rule.path:
                theirs = f"{theirs}, written as `{rule.written_at}`"
            direction = _ARROWS[rule.direction] if one.writes else _ARROWS["in"]
            yield _row(f"`{name}`", theirs, direction, rule.note or rule.kind.says, meaning)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
