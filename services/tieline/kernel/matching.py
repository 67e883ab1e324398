"""The match rules, as data: by which fields one system's record of a thing is recognised as another's."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.yaml_reading import load_yaml


class NormalForm(StrEnum):
    """How two values of a field are compared; each compares more values as equal than the one before."""

    EXACT = "exact"
    CASE_FOLDED = "case-folded"
    SQUEEZED = "squeezed"
    LEADING_ZEROS = "leading-zeros"
    NUMBER_PART = "number-part"


class MatchRule(BaseModel):
    """One line of matching.yaml; the file says what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(pattern=r"^[a-z][a-z-]*$", description="First part of the match key.")
    rule: str = Field(description="Name of the rule in the cross-reference.")
    field: str = Field(description="Field of the asset.")
    form: NormalForm = NormalForm.EXACT
    between: Literal["systems", "records"]
    confidence_percent: int = Field(ge=0, le=100)
    decide: Literal["link", "propose"]
    ignored: frozenset[str] = frozenset()

    @field_validator("field")
    @classmethod
    def _is_a_field(cls, name: str) -> str:
        if name not in AssetFields.model_fields:
            raise ValueError(f"there is no asset field {name!r}")
        return name


MatchRules = tuple[MatchRule, ...]


def normal_form(text: str | None, form: NormalForm) -> str:
    """The text as it is compared; empty when it says nothing."""
    trimmed = (text or "").strip()
    match form:
        case NormalForm.EXACT:
            return trimmed
        case NormalForm.CASE_FOLDED:
            return trimmed.casefold()
        case NormalForm.SQUEEZED:
            return "".join(trimmed.split()).casefold()
        case NormalForm.LEADING_ZEROS:
            # SAP keeps a purely numeric asset number with zeros up to 12 characters (ANLN1, conversion exit ALPHA).
            squeezed = normal_form(trimmed, NormalForm.SQUEEZED)
            return re.sub(r"[0-9]+", lambda run: run[0].lstrip("0") or "0", squeezed)
        case NormalForm.NUMBER_PART:
            digits = re.findall(r"[0-9]+", trimmed)
            return (digits[-1].lstrip("0") or "0") if digits else ""


def read_match_rules(text: str) -> MatchRules:
    """The rules in a YAML text. Raises ``ValueError`` with the place and the reason."""
    rules = TypeAdapter(MatchRules).validate_python(load_yaml(text)["asset"])
    kinds = [rule.kind for rule in rules]
    if len(set(kinds)) != len(kinds):
        raise ValueError(f"matching.yaml: a kind stands twice among {', '.join(kinds)}")
    return rules


@cache
def load_match_rules() -> MatchRules:
    """The rules shipped with the package."""
    return read_match_rules(resources.files("tieline.kernel").joinpath("matching.yaml").read_text(encoding="utf-8"))
