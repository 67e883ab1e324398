"""Which of the versions that wait for one record need not be written, because a newer one says all of it. Pure.

Rule: a newer command stands for older ones of its record if it says something of every field that any of them says
something of. It is sent as it was recorded, never widened: what is sent is what its record, its dead letter and a
replay of it say. A newest version that says less than an older one (its target has spoken meanwhile; a word that is put
back to its origin) is therefore no stand-in, and the older one is written for itself, in order.

- Of an asset: a field is said that is writable and has a value or is cleared. Any other field without a value says
  nothing, so that a value known to an older version only is not lost.
- Of a book, and of a record of a declared family: the whole of it; the same one only.
- Without writable fields a command only makes a record that is not there yet; it is written for itself.
- A repair and a document (costs, removal) are neither passed over nor stand for others.
- The newer one must be of a higher version, and know the same record of the target wherever the older one knows one.

The rule is asked twice: of what waits next to each other at the head of a lane (``count_passed_over``; another record's
command and a declared family's, which nobody has asked to be passed over, end the run there), and, where the flow's
policy is skip-if-newer, of what waits as letters behind one that failed (kernel/parking.py).

What a person or an earlier attempt has a hand in is not coalesced in a lane either: the loop leaves out replays, keys
that are parked, and what was begun (Invariant 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.kernel.command_records import Command, WriteAsset, WriteBook
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.settling import ledger_key


@dataclass(frozen=True, slots=True)
class Statement:
    """What one command, or several of one record together, say: the fields, and which records of the target they know.

    ``record`` is the ledger's key; a book and a family's record have one thing to say, all of it, and no ``fields``.
    """

    record: str
    version: int
    fields: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def follows(self, older: Statement) -> bool:
        """Whether it is a newer version of the same record."""
        return self.record == older.record and self.version > older.version  # Invariant 4

    def stands_for(self, older: Statement) -> bool:
        """Whether nothing is lost if this is written and the older is not."""
        return self.follows(older) and older.fields <= self.fields and older.known <= self.known

    def after(self, older: Statement) -> Statement:
        """Both together."""
        return Statement(self.record, self.version, self.fields | older.fields, self.known | older.known)


def statement_of(command: Command) -> Statement | None:
    """What the command says; None if it neither stands for others nor others for it."""
    if command.dispatch.repair_id is not None:
        return None
    match command:
        case WriteAsset() if command.writable_fields:
            fields = _said_fields(command)
        case WriteBook() | FamilyCommand():
            fields = frozenset()
        case _:
            return None
    known = frozenset() if command.native_id is None else frozenset((command.native_id,))
    return Statement(ledger_key(command), command.dispatch.version, fields, known)


def count_passed_over(commands: Sequence[Command]) -> int:
    """How many of the commands of one lane, oldest first, the next one stands for; 0: the first is for itself."""
    said = _coalesced(commands[0])
    passed_over = 0
    for number, newer in enumerate(commands[1:], 1):
        says = _coalesced(newer)
        if said is None or says is None or not says.follows(said):
            break
        if says.stands_for(said):
            passed_over = number
        said = says.after(said)
    return passed_over


def _coalesced(command: Command) -> Statement | None:
    return None if isinstance(command, FamilyCommand) else statement_of(command)


def _said_fields(command: WriteAsset) -> frozenset[str]:
    return frozenset(
        name
        for name in command.writable_fields
        if getattr(command.fields, name) is not None or name in command.cleared_fields
    )


def tell_passed_over(rejection: Rejected, versions: Sequence[int]) -> Rejected:
    """The refusal of a command that stood for others: who decides about its letter decides about them."""
    if not versions:
        return rejection
    span = f"version {versions[0]}" if len(versions) == 1 else f"{len(versions)} versions from {versions[0]} on"
    told = f"{rejection.reason} [stands for {span} too, passed over for it]"
    return Rejected(told, field=rejection.field, remedy=rejection.remedy, held_digest=rejection.held_digest)
