"""Amounts written as text, by the convention their source declares. Exact or refused, never guessed (Invariant 11).

Looks are no evidence: ``1.234`` is a thousand in Berlin and a little more than one in Boston. Without a declared
convention only what reads the same in every one of them is accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.errors import Rejected

MAX_LENGTH = 60
_MAX_MAGNITUDE = 11  # beyond it a double no longer holds the cents
_SPACES = " \u00a0\u202f"
_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}
_BRACKETED = re.compile(r"\((?P<inner>[^()]+)\)")
_PLAIN = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a source writes numbers: the decimal mark, and the mark between groups of three digits (empty: none)."""

    decimal_mark: str
    group_mark: str

    def __post_init__(self) -> None:
        if self.decimal_mark not in {".", ","} or self.group_mark not in {"", ".", ",", " ", "'"}:
            raise ValueError("the decimal mark is . or , and the group mark one of . , space ' or none")
        if self.decimal_mark == self.group_mark:
            raise ValueError("the decimal mark and the group mark must differ")


PLAIN = NumberFormat(".", "")
"""``1234.50``"""
ENGLISH = NumberFormat(".", ",")
"""``1,234.50``"""
CONTINENTAL = NumberFormat(",", ".")
"""``1.234,50``"""
FRENCH = NumberFormat(",", " ")
"""``1 234,50``"""
SWISS = NumberFormat(".", "'")
"""``1'234.50``"""


def parse_amount(text: str, form: NumberFormat | None, *, field: str, currency: str | None = None) -> Decimal:
    """The exact number in ``text``, read by ``form``; None: the source declares no convention.

    Negative is a leading or trailing ``-``, or brackets (``45.00-``, ``(45.00)``), one of them. The symbols $, € and £
    may stand before or after the digits where they agree with ``currency``. Raises ``Rejected`` naming ``field`` for
    anything else: exponents, NaN, other scripts' digits, groups of another length, and without ``form`` whatever could
    be read in two ways.
    """
    if len(text) > MAX_LENGTH or not text.strip():
        raise _refused("is not an amount", field, form)
    digits, negative = _unsigned(_without_symbol(text.strip(), currency, field), field, form)
    if form is None:
        form = _only_reading(digits, field)
    number = _plain_digits(digits, form)
    if number is None:
        raise _refused("is not an amount", field, form)
    return -number if negative else number


def from_float_artefact(number: Decimal, digits: int, *, field: str) -> Decimal:
    """A number that a source computed in binary floating point, as the amount it stands for.

    Only for a source declared to do so (Atlas CMMS keeps costs as Double). ``digits`` are those of the currency's
    minor unit. Exact when the written number is the amount or misses it by no more than binary arithmetic does:
    0.30000000000000004 is 0.30. Raises ``Rejected`` when it differs by more: 0.305 is not rounded to 0.30 or 0.31.
    """
    if not number.is_finite() or number.adjusted() > _MAX_MAGNITUDE:
        raise _refused("is not an amount", field, None)
    nearest = round(number, digits)
    # 2**-52 is the relative spacing of doubles; a few additions lose a few of them.
    if abs(number - nearest) > 4 * abs(number) * Decimal(2) ** -52:
        raise Rejected(
            f"has more than {digits} digits after the point", field=field, remedy="correct the amount at its source"
        )
    return nearest


def _unsigned(text: str, field: str, form: NumberFormat | None) -> tuple[str, bool]:
    """The digits and marks without their sign, and whether they are negative."""
    if bracketed := _BRACKETED.fullmatch(text):
        return bracketed["inner"].strip(_SPACES), True
    signs = [text[:1] in {"-", "\u2212"}, text[-1:] in {"-", "\u2212"}]
    if all(signs):
        raise _refused("has two signs", field, form)
    return text[signs[0] : len(text) - signs[1]].strip(_SPACES), any(signs)


def _without_symbol(text: str, currency: str | None, field: str) -> str:
    found = [symbol for symbol in _SYMBOLS if symbol in text]
    if not found:
        return text
    [symbol, *others] = found
    if others or text.count(symbol) > 1 or _SYMBOLS[symbol] != currency:
        raise Rejected(
            f"carries {''.join(found)}, the amount's currency is {currency or 'not declared'}",
            field=field,
            remedy="declare the currency of the amount, or correct it at its source",
        )
    # The symbol may stand between sign and digits; anywhere else what is left is no number.
    left, right = (part.strip(_SPACES) for part in text.split(symbol))
    if left.strip("-\u2212(") and right.strip("-\u2212)"):
        raise Rejected("is not an amount", field=field, remedy="correct it at its source")
    return left + right


def _only_reading(digits: str, field: str) -> NumberFormat:
    """The convention that alone can have written this."""
    marks = [mark for mark in digits if mark in ".,"]
    if not marks:
        return PLAIN
    first, last = marks[0], marks[-1]
    if first != last:
        return NumberFormat(last, first)
    if len(marks) > 1:  # a decimal mark stands once
        return NumberFormat("." if first == "," else ",", first)
    if len(digits.rpartition(first)[2]) != 3:  # noqa: PLR2004  - three digits may be a group or a fraction
        return NumberFormat(first, "")
    raise Rejected(
        f"{digits!r} can be read in two ways",
        field=field,
        remedy="declare the source's number format: its decimal mark and its group mark",
    )


def _plain_digits(digits: str, form: NumberFormat) -> Decimal | None:
    whole, mark, fraction = digits.partition(form.decimal_mark)
    if mark and not _PLAIN.fullmatch(fraction):
        return None
    if form.group_mark == " ":
        whole = whole.replace("\u00a0", " ").replace("\u202f", " ")
    if form.group_mark and form.group_mark in whole:
        first, *groups = whole.split(form.group_mark)
        if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in groups):  # noqa: PLR2004  - groups of three
            return None
        whole = first + "".join(groups)
    if whole == "" and mark:
        whole = "0"  # .97
    return Decimal(f"{whole}{'.' if mark else ''}{fraction}") if _PLAIN.fullmatch(whole) else None


def _refused(reason: str, field: str, form: NumberFormat | None) -> Rejected:
    like = "" if form is None else f", like 1{form.group_mark}234{form.decimal_mark}50"
    return Rejected(reason, field=field, remedy=f"write digits and the declared marks only{like}")
