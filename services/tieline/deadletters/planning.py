"""What a replay or a discard would do, before anything is written: which letters, in which order, and which not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from tieline.deadletters.causes import fingerprint_of
from tieline.kernel.declarations import Topic
from tieline.kernel.errors import Stop
from tieline.kernel.letters import Book, Letter, Origin, Standing, input_topics
from tieline.kernel.memory import LetterAction

PENDING = frozenset({Standing.OPEN, Standing.WAITING})


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters a person means: by id, or all pending ones that match every filter given."""

    ids: tuple[str, ...] = ()
    key: str | None = None
    consumer: str | None = None
    cause: str | None = None

    def __post_init__(self) -> None:
        filters = [self.key, self.consumer, self.cause]
        if not self.ids and not any(filters):
            raise Stop("say which letters: ids, or --key, --consumer or --cause (see: tieline dead-letters list)")
        if self.ids and any(filters):
            raise Stop("give either ids or --key, --consumer and --cause, not both")

    def matches(self, letter: Letter) -> bool:
        """Whether the filters let a letter through."""
        return (
            (self.key is None or letter.record.key_text == self.key)
            and (self.consumer is None or letter.consumer == self.consumer)
            and (self.cause is None or fingerprint_of(letter) == self.cause)
        )


@dataclass(frozen=True, slots=True)
class Move:
    """One letter and what is written for it. ``target`` is None when only the case is noted.

    Moves of the same ``lane`` stand or fall together and are written in their order (Invariant 6).
    """

    letter: Letter
    target: Origin | None
    lane: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A letter that is left as it is, and why."""

    letter_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Moves in the order they will be written, and what was asked for but is refused."""

    action: LetterAction
    moves: tuple[Move, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def targets(self) -> dict[str, int]:
        """Number of records to be written, by topic."""
        counts: dict[str, int] = {}
        for move in self.moves:
            if move.target is not None:
                counts[move.target.topic] = counts.get(move.target.topic, 0) + 1
        return counts


def plan_replay(book: Book, selection: Selection, topics: Mapping[str, Topic]) -> Plan:
    """Send letters back to where they came from; a parked key goes as a whole, in the order of its row."""
    letters, refusals = _select(book, selection)
    chosen = {letter.letter_id for letter in letters}
    moves: dict[str, Move] = {}
    for letter in letters:
        queue = book.queue(letter) if book.stands(letter) in PENDING and _is_queued(book, letter) else []
        if not queue:
            moves[letter.letter_id] = Move(letter, letter.origin, letter.letter_id)
            continue
        head_at, head = queue[0]
        if head is None or head.letter_id not in chosen:
            refusals.append(Refusal(letter.letter_id, _behind(letter, head, head_at)))
            continue
        gap = [where for where, found in queue if found is None]
        if gap:
            why = (
                f"the letter of {gap[0]}, which stands in its queue, is not among those looked at; use a higher --limit"
            )
            refusals.append(Refusal(letter.letter_id, why))
            continue
        for _, member in queue:
            if member is not None:
                moves.setdefault(member.letter_id, Move(member, member.origin, letter.parked_key or ""))
    plan = Plan(LetterAction.REPLAY, tuple(moves.values()), tuple(refusals))
    return _without_replays_under_way(book, check_declared(plan, topics))


def plan_discard(book: Book, selection: Selection, topics: Mapping[str, Topic]) -> Plan:
    """Give letters up. A sink is told to drop the parked ones; of the others only the decision is noted."""
    letters, refusals = _select(book, selection)
    moves = [Move(letter, letter.origin if _is_queued(book, letter) else None, letter.letter_id) for letter in letters]
    return check_declared(Plan(LetterAction.DISCARD, tuple(moves), tuple(refusals)), topics)


def check_declared(plan: Plan, topics: Mapping[str, Topic]) -> Plan:
    """Refuse every move whose record does not say it came from a topic that its consumer is declared to read."""

    def fault(move: Move) -> str | None:
        if plan.action is LetterAction.DISCARD and move.target is None:
            return None
        # Invariant 13: the declarations say where a consumer's records come from; a header only names one of them.
        origin = move.letter.origin
        if origin is None:
            return "its headers do not say where it came from: it was not written by a consumer of the hub"
        if origin.topic not in input_topics(topics, move.letter.consumer):
            return f"it claims to come from {origin.topic}, which {move.letter.consumer} does not read"
        if origin.partition >= topics[origin.topic].partitions:
            return f"it claims to come from {origin.coordinates}, a partition that does not exist"
        return None

    return refuse(plan, fault)


def refuse(plan: Plan, fault: Callable[[Move], str | None]) -> Plan:
    """The plan without the moves that ``fault`` objects to, nor any other move of their lanes."""
    faults = {move.letter.letter_id: why for move in plan.moves if (why := fault(move)) is not None}
    lanes = {move.lane: move.letter.letter_id for move in plan.moves if move.letter.letter_id in faults}
    refusals = list(plan.refusals)
    for move in plan.moves:
        letter_id = move.letter.letter_id
        if letter_id in faults:
            refusals.append(Refusal(letter_id, faults[letter_id]))
        elif move.lane in lanes:
            refusals.append(Refusal(letter_id, f"it stands in one queue with {lanes[move.lane]}, which is refused"))
    return replace(plan, moves=tuple(m for m in plan.moves if m.lane not in lanes), refusals=tuple(refusals))


def _select(book: Book, selection: Selection) -> tuple[list[Letter], list[Refusal]]:
    """The letters meant, oldest first so that order per key holds, and the ids that cannot be dealt with."""
    if not selection.ids:
        found = [x for x in book.letters if book.stands(x) in PENDING and selection.matches(x)]
        return _oldest_first(found), []
    letters: list[Letter] = []
    refusals: list[Refusal] = []
    for letter_id in dict.fromkeys(selection.ids):
        letter = book.find(letter_id)
        if letter is None:
            refusals.append(
                Refusal(letter_id, "there is no such letter among those looked at; see list, or use --limit")
            )
        elif book.stands(letter) not in PENDING:
            refusals.append(Refusal(letter_id, _settled(book, letter)))
        else:
            letters.append(letter)
    return _oldest_first(letters), refusals


def _oldest_first(letters: Iterable[Letter]) -> list[Letter]:
    def age(letter: Letter) -> tuple[str, str, int, int, int]:
        # By where they came from, not by when they failed: a letter that failed again must not overtake its key.
        origin = letter.origin
        place = (origin.topic, origin.partition, origin.offset) if origin else ("", 0, 0)
        return letter.consumer, *place, letter.record.offset

    return sorted(letters, key=age)


def _settled(book: Book, letter: Letter) -> str:
    standing = book.stands(letter)
    case = book.cases.get(letter.letter_id)
    if case is not None:
        when = f"{case.at:%Y-%m-%d %H:%M:%S} UTC by {case.by}"
        again = "; if it fails again, it comes back as a new letter" if standing is Standing.REPLAYED else ""
        return f"it was {standing} on {when}{again}"
    return "a newer letter of the same record, or a newer version at the target, has taken its place"


def _is_queued(book: Book, letter: Letter) -> bool:
    return letter.origin is not None and letter.origin.coordinates in [where for where, _ in book.queue(letter)]


def _behind(letter: Letter, head: Letter | None, head_at: str) -> str:
    if head is None:
        return f"it waits behind the letter of {head_at}, which is not among those looked at; use a higher --limit"
    return (
        f"it waits behind {head.letter_id}; replay that one (its whole key goes, in order), "
        f"or the key: --key {letter.key}"
    )


def _without_replays_under_way(book: Book, plan: Plan) -> Plan:
    """Replays of a queue whose members are partly under way already would overtake them: refused."""

    def fault(move: Move) -> str | None:
        standing = book.stands(move.letter)
        return None if standing in PENDING else f"it is {standing} already; wait until the sink has dealt with it"

    return refuse(plan, fault)
