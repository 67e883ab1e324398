"""Who owns what, as data: the matrix in ownership.yaml, and the questions asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import yaml

from tieline.kernel.model import AssetFields, AssetState, PhysicalStatus

ERP = "erp"
ASSET_MANAGEMENT = "asset-management"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """The rule of one field: owning role, roles that may propose, and whether they may after the owner spoke."""

    group: str
    owner: str
    proposers: frozenset[str]
    open: bool


@dataclass(frozen=True, slots=True)
class Ownership:
    """The rule of every asset field."""

    rules: Mapping[str, FieldRule]

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


def load_ownership() -> Ownership:
    """The matrix shipped with the package. Raises ``ValueError`` if a field of ``AssetFields`` has no rule."""
    text = resources.files("tieline.kernel").joinpath("ownership.yaml").read_text(encoding="utf-8")
    rules: dict[str, FieldRule] = {}
    for group, body in yaml.safe_load(text)["asset"].items():
        rule = FieldRule(group, body["owner"], frozenset(body.get("proposers", ())), bool(body.get("open", False)))
        rules.update(dict.fromkeys(body["fields"], rule))
    missing = set(AssetFields.model_fields) - set(rules)
    if missing:
        raise ValueError(f"ownership.yaml: no owner for {', '.join(sorted(missing))}")
    return Ownership(rules)


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
