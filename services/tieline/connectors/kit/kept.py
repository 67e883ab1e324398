"""Whether a target kept what it was sent: truncation is an error, never silent (T27). Pure."""

from __future__ import annotations


def lost_text(wanted: str, held: str) -> str | None:
    """What is missing of a text, in words; None when its end is there.

    Another case or other spaces lose nothing that matters: they are the target's way of writing the same.
    """
    whole, kept = ("".join(text.split()).casefold() for text in (wanted, held))
    short = len(kept) < len(whole) and whole.startswith(kept)
    return f"{len(held)} of {len(wanted)} characters" if short else None
