"""Whether one version of an Avro schema reads what another wrote, by the rules of Avro's specification.

The registry enforces the same at registration; here it is asked before there is a registry (``tieline topics lint
--against``), together with what a registry lets pass though it changes the meaning of stored records. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tieline.kernel.declarations import Compatibility
from tieline.kernel.schema_changes import Schema, differences, flattened, same_name, type_words

Types = Mapping[str, Schema]

# What a reader's type takes beside its own (Avro 1.12, schema resolution).
_PROMOTED: Mapping[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


def refusals(new: Schema, history: Sequence[Schema], level: Compatibility) -> tuple[str, ...]:
    """Why ``new`` may not follow ``history`` (oldest first) under a level; empty when it may.

    BACKWARD: the new version reads the old ones. FORWARD: they read the new one. FULL: both. Without TRANSITIVE only
    the latest version counts. What changes meaning unseen is refused under every level but NONE.
    """
    if level == "NONE":
        return ()
    counted = history if level.endswith("TRANSITIVE") else history[-1:]
    reasons: dict[str, None] = {}
    for old in counted:
        reasons |= dict.fromkeys(str(difference) for difference in differences(old, new) if difference.unseen)
        reasons |= dict.fromkeys(unreadable_under(level, flattened(old), flattened(new)))
    return tuple(reasons)


def unreadable_under(level: Compatibility, old: tuple[Any, Types], new: tuple[Any, Types]) -> tuple[str, ...]:
    """What cannot be read between two versions, in the directions the level asks for. Each is a type and its names."""
    reasons: list[str] = []
    if level.startswith(("BACKWARD", "FULL")):
        reasons += [f"{reason} (new reads old)" for reason in unreadable(new, old)]
    if level.startswith(("FORWARD", "FULL")):
        reasons += [f"{reason} (old reads new)" for reason in unreadable(old, new)]
    return tuple(reasons)


def unreadable(reader: tuple[Any, Types], writer: tuple[Any, Types]) -> tuple[str, ...]:
    """Why the reader's type cannot read what the writer's wrote; empty when it can."""
    found = _Reading(reader[1], writer[1]).faults(reader[0], writer[0], "")
    return tuple(dict.fromkeys(found))


class _Reading:
    """One comparison: the named types of both sides, and what is known of pairs of records."""

    def __init__(self, reader_types: Types, writer_types: Types) -> None:
        self._reader_types = reader_types
        self._writer_types = writer_types
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def faults(self, reader: Any, writer: Any, place: str) -> Iterator[str]:
        """Each place where the reader cannot take what the writer wrote."""
        if isinstance(writer, list):
            for branch in writer:
                yield from self.faults(reader, branch, place)
        elif isinstance(reader, list):
            if not any(not list(self.faults(branch, writer, place)) for branch in reader):
                yield f"{place}: {type_words(writer)} is none of {type_words(reader)}"
        else:
            yield from self._one_of_one(reader, writer, place)

    def _one_of_one(self, reader: Any, writer: Any, place: str) -> Iterator[str]:
        wanted, given = _named(reader, self._reader_types), _named(writer, self._writer_types)
        kinds = (_kind(wanted), _kind(given))
        if kinds[0] != kinds[1]:
            if kinds[1] not in _PROMOTED.get(kinds[0], ()):
                yield f"{place or kinds[0]}: {type_words(writer)} cannot be read as {type_words(reader)}"
        elif kinds[0] == "array":
            yield from self.faults(wanted["items"], given["items"], place)
        elif kinds[0] == "map":
            yield from self.faults(wanted["values"], given["values"], place)
        elif kinds[0] in ("record", "enum", "fixed"):
            yield from self._named_types(wanted, given, (str(reader), str(writer)))

    def _named_types(self, wanted: Schema, given: Schema, names: tuple[str, str]) -> Iterator[str]:
        name = str(wanted["name"]).rpartition(".")[2]
        if not same_name(names[0], wanted, names[1]):
            yield f"{name}: {type_words(names[1])} has another name"
        elif wanted["type"] == "fixed":
            if wanted["size"] != given["size"]:
                yield f"{name}: {given['size']} bytes cannot be read as {wanted['size']}"
        elif wanted["type"] == "enum":
            strange = [symbol for symbol in given["symbols"] if symbol not in wanted["symbols"]]
            if strange and wanted.get("default") not in wanted["symbols"]:
                yield f"{name}: there is no symbol {strange[0]}, and no default"
        else:
            if names not in self._known:
                self._known[names] = ()  # while it is under way: a type that holds itself faults nowhere else
                self._known[names] = tuple(self._fields(name, wanted, given))
            yield from self._known[names]

    def _fields(self, name: str, wanted: Schema, given: Schema) -> Iterator[str]:
        written = {field["name"]: field for field in given["fields"]}
        for field in wanted["fields"]:
            place = f"{name}.{field['name']}"
            source = next((written[one] for one in (field["name"], *field.get("aliases", ())) if one in written), None)
            if source is not None:
                yield from self.faults(field["type"], source["type"], place)
            elif "default" not in field:
                yield f"{place}: it is not always there, and has no default"


def _named(node: Any, types: Types) -> Any:
    return types.get(node, node) if isinstance(node, str) else node


def _kind(node: Any) -> str:
    return node if isinstance(node, str) else str(node["type"])
