"""Differences for people: how many of each kind, and the first of each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 20


def kind_of(difference: str) -> str:
    """What a difference is about, without which one: ``asset: location``, ``book: postings``, ``events``."""
    thing, _, rest = difference.partition(": ")
    return ": ".join(word for word in (_first_word(thing), _first_word(rest)) if word)


def show_differences(found: Sequence[str], shown: int = SHOWN) -> str:
    """A table: each kind with its number, most first, and under it its first differences, ``shown`` in all."""
    kinds: dict[str, list[str]] = {}
    for difference in found:
        kinds.setdefault(kind_of(difference), []).append(difference)
    # Each kind shows as many as every other, as far as it has them: one that is everywhere hides none.
    chosen: dict[str, int] = dict.fromkeys(kinds, 0)
    left = shown
    while left and (open_kinds := [kind for kind, lines in kinds.items() if chosen[kind] < len(lines)]):
        for kind in open_kinds[:left]:
            chosen[kind] += 1
        left -= min(left, len(open_kinds))
    rows = [f"{len(found)} differences of {len(kinds)} kinds, {sum(chosen.values())} shown"]
    for kind, lines in sorted(kinds.items(), key=lambda one: (-len(one[1]), one[0])):
        rows.append(f"{len(lines):>8}  {kind}")
        rows += [f"{'':>10}{line}" for line in lines[: chosen[kind]]]
    return "\n".join(rows)


def _first_word(text: str) -> str:
    """The first word that is no number."""
    return next((word for word in text.split() if not word.lstrip("-")[:1].isdigit()), "")
