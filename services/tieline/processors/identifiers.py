"""Identifiers written in two ways: normal forms, and the rule by which two spellings are one. Pure.

Systems pad, strip, upper-case and suffix each other's numbers. A match always says by which rule it was made, the
surest first, so that a person sees how far it can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tieline.kernel.errors import Rejected

EXACT, CASE_FOLDED, LEADING_ZEROS, NUMBER_PART, UNMATCHED = (
    "exact",
    "case-folded",
    "leading-zeros",
    "number-part",
    "unmatched",
)
RULES = (EXACT, CASE_FOLDED, LEADING_ZEROS, NUMBER_PART)
ANLN1_DIGITS = 12
"""SAP keeps a main asset number in 12 characters, purely numeric ones padded with zeros (conversion exit ALPHA)."""
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Matched:
    """One identifier of the left register, the one it means in the right one, and by which rule (or ``unmatched``)."""

    identifier: str
    other: str | None
    rule: str


def normal_form(identifier: str, rule: str) -> str | None:
    """The identifier as this rule compares it; None where the rule says nothing of it.

    ``exact``: as written. ``case-folded``: without case and outer or inner spaces. ``leading-zeros``: that, without
    the zeros before each run of digits. ``number-part``: the only run of digits, without its zeros.
    """
    folded = "".join(identifier.split()).casefold()
    match rule:
        case "exact":
            return identifier or None
        case "case-folded":
            return folded or None
        case "leading-zeros":
            return _DIGITS.sub(lambda found: found[0].lstrip("0") or "0", folded) or None
        case "number-part":
            runs = _DIGITS.findall(folded)
            return (runs[0].lstrip("0") or "0") if len(runs) == 1 else None
        case _:
            raise ValueError(f"{rule} is no rule; there are {', '.join(RULES)}")


def match_registers(left: Iterable[str], right: Iterable[str]) -> tuple[Matched, ...]:
    """Each identifier of ``left`` with the one of ``right`` it means, in the order of ``left``.

    The surest rule goes first over the whole register, so that no weak match takes what a sure one needs. A form that
    several on either side share matches nobody: two things are never made one by a guess. An identifier that stands
    several times is that many things (T01): the n-th on the left meets the n-th on the right, by the exact rule only.
    """
    lefts, rights = list(left), list(right)
    found: dict[int, tuple[int, str]] = {}
    for rule in RULES:
        open_left = _by_form(lefts, rule, set(found))
        open_right = _by_form(rights, rule, {place for place, _ in found.values()})
        for form, places in open_left.items():
            others = open_right.get(form, [])
            if rule == EXACT:
                found |= {place: (other, rule) for place, other in zip(places, others, strict=False)}
            elif len(places) == len(others) == 1:
                found[places[0]] = (others[0], rule)
    return tuple(
        Matched(identifier, rights[found[place][0]], found[place][1])
        if place in found
        else Matched(identifier, None, UNMATCHED)
        for place, identifier in enumerate(lefts)
    )


def pad_number(identifier: str, digits: int = ANLN1_DIGITS) -> str:
    """As SAP keeps it: a purely numeric identifier with zeros before it, any other as it is, in upper case.

    Raises ``Rejected`` for one that is longer than the field.
    """
    text = identifier.strip()
    if len(text) > digits:
        raise Rejected(
            f"is longer than the {digits} characters the field keeps",
            field="asset_number",
            remedy="correct the number at its source; a cut number would be another asset's",
        )
    return text.zfill(digits) if _DIGITS.fullmatch(text) else text.upper()


def unpad_number(identifier: str) -> str:
    """As people read it: a purely numeric identifier without the zeros before it, any other as it is."""
    text = identifier.strip()
    return (text.lstrip("0") or "0") if _DIGITS.fullmatch(text) else text


def _by_form(identifiers: list[str], rule: str, taken: set[int]) -> dict[str, list[int]]:
    forms: dict[str, list[int]] = {}
    for place, identifier in enumerate(identifiers):
        form = None if place in taken else normal_form(identifier, rule)
        if form is not None:
            forms.setdefault(form, []).append(place)
    return forms
