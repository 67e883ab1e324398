"""Who owns what, as data: the matrix in ownership.yaml, and the questions asked of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from typing import Any

from tieline.kernel.asset_records import CLEARABLE, AssetFields, AssetState, PhysicalStatus
from tieline.kernel.landscape import Landscape, OwnershipRule
from tieline.kernel.reference_records import FAMILIES
from tieline.kernel.yaml_reading import load_yaml

ERP = "erp"
ASSET_MANAGEMENT = "asset-management"


class Policy(StrEnum):
    """What happens when two systems say different things of a field, neither having seen what the other one said.

    An edit of a system that had seen the known value follows it: it is judged by who may speak. Of concurrent ones:
    OWNER_WINS: the owner's word stands. LWW_BY_VERSION: of owner and proposers the later word, by the time at which its
    system recorded it, the owner's if both are of one moment. ADDITIVE: documents that are never overwritten; not for
    fields. ACCEPT_IF_PERIOD_OPEN: as OWNER_WINS, once the period gate has let it pass. MANUAL: the known value stays,
    and so does everything said of it, until people have made the systems agree, or one that saw both edits it anew.
    IMMUTABLE: a known value stays for ever; another one is an error.
    """

    OWNER_WINS = "OWNER_WINS"
    LWW_BY_VERSION = "LWW_BY_VERSION"
    ADDITIVE = "ADDITIVE"
    ACCEPT_IF_PERIOD_OPEN = "ACCEPT_IF_PERIOD_OPEN"
    MANUAL = "MANUAL"
    IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """The rule of one field: owning role, roles that may propose, and whether they may after the owner spoke."""

    group: str
    owner: str
    proposers: frozenset[str]
    open: bool
    policy: Policy = Policy.OWNER_WINS


@dataclass(frozen=True, slots=True)
class Ownership:
    """The rule of every asset field. ``overrides`` are an organisation's own, by company and first day."""

    rules: Mapping[str, FieldRule]
    overrides: Sequence[OwnershipRule] = ()

    def effective(self, company: str | None, day: dt.date) -> Ownership:
        """The rules that hold for a company on a day: of those that have begun the latest, its own before the general.

        A company's rule holds for that company only; one that names none holds for all.
        """
        begun = [one for one in self.overrides if one.valid_from <= day and one.company in {None, company}]
        if not begun:
            return self
        rules = dict(self.rules)
        for one in sorted(begun, key=lambda rule: (rule.company is not None, rule.valid_from)):
            for field in one.fields:
                group, policy = rules[field].group, Policy(one.policy)
                rules[field] = FieldRule(group, one.owner, frozenset(one.proposers), one.open, policy)
        return replace(self, rules=rules, overrides=())

    def owner_of(self, field: str) -> str:
        """Role that owns the field."""
        return self.rules[field].owner

    def writable_fields(self, state_said_by: Mapping[str, str], target: str, target_role: str) -> tuple[str, ...]:
        """Fields the hub may change at ``target``: those it does not own, and its own as long as it has not spoken."""
        return tuple(
            field
            for field, rule in self.rules.items()
            if rule.owner != target_role or (field in state_said_by and state_said_by[field] != target)
        )


def load_ownership(overrides: Sequence[OwnershipRule] = ()) -> Ownership:
    """The matrix shipped with the package, with a landscape's own rules.

    Raises ``ValueError`` if a field of ``AssetFields`` has no rule.
    """
    rules: dict[str, FieldRule] = {}
    for group, body in _shipped("asset").items():
        policy = Policy(body.get("policy", Policy.OWNER_WINS))
        proposers, is_open = frozenset(body.get("proposers", ())), bool(body.get("open", False))
        rule = FieldRule(group, body["owner"], proposers, is_open, policy)
        rules.update(dict.fromkeys(body["fields"], rule))
    missing = set(AssetFields.model_fields) - set(rules)
    if missing:
        raise ValueError(f"ownership.yaml: no owner for {', '.join(sorted(missing))}")
    return Ownership(rules, tuple(overrides))


def reference_owners(landscape: Landscape) -> Mapping[str, tuple[str, ...]]:
    """The systems that own each family of reference records: the one the landscape names, else those of the role."""
    named = landscape.references.owners
    by_role = {family: role for role, families in _shipped("reference").items() for family in families}
    return {
        family: (named[family],) if family in named else landscape.having_role(by_role.get(family, ""))
        for family in FAMILIES
    }


def _shipped(part: str) -> Mapping[str, Any]:
    text = resources.files("tieline.kernel").joinpath("ownership.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = load_yaml(text)[part]
    return found


def cleared_fields(fields: AssetFields, said_by: Mapping[str, str], writable: Collection[str]) -> tuple[str, ...]:
    """Which of the fields that may be written shall be empty: somebody said them, and they have no value any more."""
    return tuple(sorted(name for name in CLEARABLE.intersection(writable, said_by) if getattr(fields, name) is None))


def expects_asset(state: AssetState, role: str) -> bool:
    """Whether a system of this role should hold the asset.

    Asset management holds everything. The ERP holds what is in the books already, and what has a cost and has
    come into service (available for use: IAS 16); an ordered or stored thing is not a fixed asset yet.
    """
    if role != ERP:
        return True
    fields = state.fields
    if fields.asset_number is not None:
        return True
    arrived = fields.in_service_date is not None or fields.physical_status in {
        PhysicalStatus.IN_SERVICE,
        PhysicalStatus.IN_MAINTENANCE,
    }
    return arrived and fields.acquisition_cost is not None and fields.asset_class is not None
