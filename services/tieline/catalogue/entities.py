"""The business entities: their records, the object by which a landscape's flows name them, their owners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tieline.catalogue.inputs import Inputs
from tieline.kernel.correspondence import Place
from tieline.kernel.landscape import Flow, Mode
from tieline.kernel.meaning_rules import referred
from tieline.kernel.ownership import reference_owners
from tieline.kernel.schema_changes import Schema

MONEY = "Money"
# The record that holds an entity's fields: the object that the landscape's flows move.
OBJECTS: Mapping[str, str] = {
    "AssetFields": "asset",
    "BookFields": "book",
    "OrderFields": "purchase-order",
    "CostFields": "cost-document",
}
# Events that carry an entity's figures instead of its fields.
DOCUMENTS: Mapping[str, str] = {"DepreciationPosted": "BookFields"}
# What an approved order's asset line gives the asset records it becomes (processors/capitalise.py; a test compares).
BECOMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "OrderFields": {
        "company": ("company",),
        "currency": ("acquisition_cost",),
        "order_date": ("acquisition_date",),
    },
    "OrderLine": {
        "line_id": ("po_line_ref",),
        "description": ("description",),
        "asset_class": ("asset_class",),
        "quantity": ("quantity",),
        "net_amount": ("acquisition_cost",),
    },
}


@dataclass(frozen=True, slots=True)
class Entity:
    """A business entity: the record of its fields, and the records inside that (its lines)."""

    record: str
    parts: tuple[str, ...]

    @property
    def object(self) -> str | None:
        """What flows call it; None for one that no flow can move yet."""
        return OBJECTS.get(self.record)


def entities(schemas: Mapping[str, Schema]) -> tuple[Entity, ...]:
    """Every entity, by the convention that the record of its fields is called ``<Something>Fields``."""
    return tuple(
        Entity(name, tuple(sorted(_inside(name, schemas)))) for name in sorted(schemas) if name.endswith("Fields")
    )


def _inside(name: str, schemas: Mapping[str, Schema]) -> Iterator[str]:
    for other in dict.fromkeys(referred(schemas[name])):
        if other != MONEY and schemas[other]["type"] == "record":
            yield other
            yield from _inside(other, schemas)


def entities_of(record: str, schemas: Mapping[str, Schema]) -> tuple[Entity, ...]:
    """The entities that a topic's record speaks of: those whose fields it holds, however deep."""
    held = {record, DOCUMENTS.get(record), *_inside(record, schemas)}
    return tuple(one for one in entities(schemas) if one.record in held)


def flows_of(inputs: Inputs, entity: Entity) -> tuple[Flow, ...]:
    """The landscape's flows of this entity that are not off."""
    declared = {family.fields: family.name for family in inputs.landscape.families}
    moved = declared.get(entity.record, entity.object)
    return tuple(f for f in inputs.landscape.flows if f.object == moved and f.mode is not Mode.OFF)


def owner_words(inputs: Inputs, entity: Entity, record: str, field: str) -> tuple[str, str]:
    """Who owns a field and who may propose it: roles, with the systems that have them.

    Asset fields and families of reference records have a matrix (kernel/ownership.yaml); of everything else the system
    it comes from is the owner.
    """
    if record == "AssetFields":
        rule = inputs.ownership.rules[field]
        proposers = ", ".join(_role_words(inputs, role) for role in sorted(rule.proposers))
        later = ", also after the owner has spoken" if rule.open else " until the owner has spoken"
        return _role_words(inputs, rule.owner), proposers + later if proposers else "nobody"
    if record == "ReferenceFields":
        owners = reference_owners(inputs.landscape).items()
        named = (
            f"{family}: {', '.join(systems)}" if systems else f"{family}: nobody yet" for family, systems in owners
        )
        return "; ".join(named), "nobody"
    declared = {family.fields: family.owner for family in inputs.landscape.families}
    if entity.record in declared:
        return _role_words(inputs, declared[entity.record]), "nobody"
    roles = sorted({inputs.landscape.role_of(flow.source) for flow in flows_of(inputs, entity)})
    return ", ".join(_role_words(inputs, role) for role in roles) or "no flow brings it yet", "nobody"


def _role_words(inputs: Inputs, role: str) -> str:
    systems = [name for name, system in inputs.landscape.systems.items() if system.role == role]
    return f"{role} ({', '.join(systems)})" if systems else role


def place_in(inputs: Inputs, system: str, record: str, field: str) -> Place | None:
    """Where a field stands in a system; None where its connector does not say."""
    table = inputs.tables.get(system, {}).get(record)
    return table.places.get(field) if table else None
