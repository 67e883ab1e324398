"""What becomes of the commands behind one that failed for good: by flow, and only as far as no money is at stake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol


class OnError(StrEnum):
    """What waits behind a failed command of the same key."""

    HOLD = "hold"  # all of it, in order
    SKIP_IF_NEWER = "skip-if-newer"  # all but a newer version that says everything the failed ones said
    CONTINUE = "continue"  # nothing


class Policed(Protocol):
    """What a flow says of itself here."""

    @property
    def object(self) -> str:
        """What moves."""
        ...

    @property
    def on_error(self) -> OnError:
        """What waits behind a failure."""
        ...


_POSTING = (
    "it is a posting, not a state: no later document holds the money of one that is passed over, and a reversal "
    "would be posted before what it reverses"
)
_ORDER = "an order arrives as the assets it buys, so on_error of their flow decides"
_ASSET = (
    "a later write of an asset may hold fewer fields, and once it is done the failed one is out of date: what only "
    "that one said, its cost for one, would never arrive; say skip-if-newer"
)
_REFUSED: Mapping[tuple[str, OnError], str] = {
    ("cost-document", OnError.SKIP_IF_NEWER): _POSTING,
    ("cost-document", OnError.CONTINUE): _POSTING,
    ("purchase-order", OnError.SKIP_IF_NEWER): _ORDER,
    ("purchase-order", OnError.CONTINUE): _ORDER,
    ("asset", OnError.CONTINUE): _ASSET,
}


def refusal(kind: str, policy: OnError) -> str | None:
    """Why this policy would lose or reorder what flows of an object bring; None if it would not.

    Books and declared families are whole records, shown and not posted: each version replaces the one before.
    """
    return _REFUSED.get((kind, policy))


def policies_of(flows: Iterable[Policed]) -> dict[str, OnError]:
    """Policy by object, of the flows into one target; the landscape sees to it that those of one object agree."""
    return {flow.object: flow.on_error for flow in flows}
