"""Which of the versions that wait for one record need not be written, because the newest one says all of it. Pure.

Rule: of the commands that wait next to each other at the head of a lane, the first up to some newer one are passed over
for that newer one, if it says something of every field that any of them says something of. It is sent as it was
recorded, never widened: what is sent is what its record, its dead letter and a replay of it say. A newest version that
says less than an older one (its target has spoken meanwhile; a word that is put back to its origin) is therefore no
stand-in, and the older one is written for itself, in order.

- Of an asset: a field is said that is writable and has a value or is cleared. Any other field without a value says
  nothing, so that a value known to an older version only is not lost.
- Of a book: the whole of it; the same book only.
- Without writable fields a command only makes a record that is not there yet; it is written for itself.
- A repair, a document (costs, removal), a record of a declared family and another record's command end the run: they
  are neither passed over nor stand for others, and nothing behind them is looked at.
- The newer one must be of a higher version, and know the same record of the target wherever the older one knows one.

What a person or an earlier attempt has a hand in is not coalesced either: the loop leaves out replays, keys that are
parked, and what was begun (Invariant 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tieline.kernel.command_records import Command, WriteAsset, WriteBook
from tieline.kernel.errors import Rejected
from tieline.kernel.settling import ledger_key


def count_passed_over(commands: Sequence[Command]) -> int:
    """How many of the commands of one lane, oldest first, the next one stands for; 0: the first is for itself."""
    first = commands[0]
    if not is_full_state(first):
        return 0
    passed_over, said, known = 0, said_fields(first), {_native_id(first)}
    for number, (older, newer) in enumerate(pairwise(commands), 1):
        if not _continues(older, newer):
            break
        says = said_fields(newer)
        if said <= says and known <= {None, _native_id(newer)}:
            passed_over = number
        said |= says
        known.add(_native_id(newer))
    return passed_over


def is_full_state(command: Command) -> bool:
    """Whether the command says all that there is to say of a record as of its version."""
    if not isinstance(command, WriteAsset | WriteBook) or command.dispatch.repair_id is not None:
        return False
    return isinstance(command, WriteBook) or bool(command.writable_fields)


def said_fields(command: Command) -> frozenset[str]:
    """Fields of an asset that the command gives a value, or clears; of a book there is one thing to say, all of it."""
    if not isinstance(command, WriteAsset):
        return frozenset()
    return frozenset(
        name
        for name in command.writable_fields
        if getattr(command.fields, name) is not None or name in command.cleared_fields
    )


def _continues(older: Command, newer: Command) -> bool:
    same = is_full_state(newer) and ledger_key(newer) == ledger_key(older)
    return same and newer.dispatch.version > older.dispatch.version  # Invariant 4


def _native_id(command: Command) -> str | None:
    return command.native_id if isinstance(command, WriteAsset | WriteBook) else None


def tell_passed_over(rejection: Rejected, versions: Sequence[int]) -> Rejected:
    """The refusal of a command that stood for others: who decides about its letter decides about them."""
    if not versions:
        return rejection
    span = f"version {versions[0]}" if len(versions) == 1 else f"{len(versions)} versions from {versions[0]} on"
    told = f"{rejection.reason} [stands for {span} too, passed over for it]"
    return Rejected(told, field=rejection.field, remedy=rejection.remedy, held_digest=rejection.held_digest)
