"""Idempotency strategies: doing the same command twice equals doing it once, whatever a system offers for it.

===================  ==========================================================================================
``by_external_id``   the system takes our id as the key of a PUT (NetSuite's ``eid:``, ADF's upsert): one request
``by_creation``      a creation is refused if our key is taken (unique field, If-None-Match): create, then look
``by_search``        nothing is refused: look by our key, then create or change; one writer for each key
``native_key``       the record is named by something both sides know: read, and write where it differs
===================  ==========================================================================================

A target that is written under each of them holds our reference; the record found by it is the one (Invariant 3). All
give ``Held``: the record as it is after, and whether anything was sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tieline.connectors.kit.paths import Record, value_at
from tieline.kernel.errors import Rejected, Retryable

Find = Callable[[], Awaitable[Record | None]]
Create = Callable[[], Awaitable[Record | None]]
"""Make the record and give what is held after; None where the system refused it because it is there already."""
ChangesOf = Callable[[Record], Mapping[str, object]]
"""What has to be sent so that the record says what it shall; empty when it does."""
Change = Callable[[Record, Mapping[str, object]], Awaitable[Record]]
"""Send the changes and give the record as it is held after."""


@dataclass(frozen=True, slots=True)
class Held:
    """The record after, whether anything was sent, and whether it was made now."""

    record: Record
    effect: bool
    created: bool = False


async def by_external_id(find: Find, changes: ChangesOf, put: Callable[[], Awaitable[Record]]) -> Held:
    """PUT under our own id: it makes or replaces, so sending it again does no harm; equal records are not sent."""
    held = await find()
    if held is not None and not changes(held):
        return Held(held, effect=False)
    return Held(await put(), effect=True, created=held is None)


async def by_creation(find: Find, create: Create, changes: ChangesOf, change: Change, *, known: bool = False) -> Held:
    """Create without looking; a refusal because the key is taken means that it is there. ``known``: look first."""
    held = await find() if known else None
    if held is None:
        made = await create()
        if made is not None:
            return Held(made, effect=True, created=True)
        held = await find()
        if held is None:
            raise Rejected("the system refuses the new record as a duplicate", remedy="look for its duplicate there")
    return await _changed(held, changes, change)


async def by_search(find: Find, create: Create, changes: ChangesOf, change: Change) -> Held:
    """Look by our key, then create or change."""
    held = await find()
    if held is not None:
        return await _changed(held, changes, change)
    made = await create()
    if made is None:
        # Somebody made it in between, or it hides from the search.
        raise Retryable("the system says that the record is there, and does not find it")
    return Held(made, effect=True, created=True)


async def native_key(find: Find, changes: ChangesOf, change: Change, *, absent: str) -> Held:
    """Change the record that both sides name; ``absent`` says what it waits for while it is not there."""
    held = await find()
    if held is None:
        raise Retryable(absent)
    return await _changed(held, changes, change)


async def first_of(*finds: Find) -> Record | None:
    """The record by the first way that finds one: by its id, then by our reference, then by a natural key."""
    for find in finds:
        record = await find()
        if record is not None:
            return record
    return None


def only_one(records: Sequence[Record], path: str, value: str, *, what: str) -> Record | None:
    """The record that really has the value at the path: a system that ignores a filter would hand us strangers.

    Raises ``Rejected`` for several: then the value does not tell one from another.
    """
    same = [record for record in records if str(value_at(record, path) or "").strip() == value.strip()]
    if len(same) > 1:
        raise Rejected(
            f"{len(same)} records there have the same {what}", field=what, remedy="correct all but one there"
        )
    return same[0] if same else None


def check_reference(found: object, reference: str, *, field: str, held_digest: str | None = None) -> None:
    """Raise ``Rejected`` where a record carries another reference, or did not keep ours as it was sent.

    Without it the record would not be found again, and be made a second time (Invariant 3).
    """
    if found != reference:
        raise Rejected(
            "they did not keep our reference as it was sent" if not found else "carries the reference of another",
            field=field,
            remedy="correct the field there: it must take 36 characters, and no one else writes it",
            held_digest=held_digest,
        )


async def _changed(held: Record, changes: ChangesOf, change: Change) -> Held:
    due = changes(held)
    return Held(await change(held, due), effect=True) if due else Held(held, effect=False)
