"""Whether a target kept what it was sent: truncation is an error, never silent (T27). Pure."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel

from tieline.kernel.vocabulary import Money


def lost_text(wanted: str, held: str) -> str | None:
    """What is missing of a text, in words; None when its end is there.

    Another case or other spaces lose nothing that matters: they are the target's way of writing the same.
    """
    whole, kept = ("".join(text.split()).casefold() for text in (wanted, held))
    short = len(kept) < len(whole) and whole.startswith(kept)
    return f"{len(held)} of {len(wanted)} characters" if short else None


def lost(wanted: object, held: object) -> str | None:
    """What a target lost of a value, in words: the end of a text or a list, or digits of a number; None when nothing.

    Of a record or a list, its first part that is not whole.
    """
    match wanted, held:
        case str(), str() if not isinstance(wanted, StrEnum):
            return lost_text(wanted, held)
        case Money(), Money():
            same = wanted.currency == held.currency
            return f"{held.amount} instead of {wanted.amount}" if same and held.amount != wanted.amount else None
        case Decimal(), Decimal():
            return f"{held} instead of {wanted}" if held != wanted else None
        case BaseModel(), BaseModel():
            faults = ((name, lost(getattr(wanted, name), getattr(held, name))) for name in type(wanted).model_fields)
            return next((f"{name}: {fault}" for name, fault in faults if fault), None)
        case tuple(), tuple():
            short = f"{len(held)} of {len(wanted)} entries" if len(held) < len(wanted) else None
            return short or next(filter(None, map(lost, wanted, held)), None)
    return None
