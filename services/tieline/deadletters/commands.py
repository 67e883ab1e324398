"""``tieline dead-letters …``: look at what could not be processed, send it back, or give it up."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tieline.deadletters.causes import fingerprint_of, group_causes
from tieline.deadletters.desk import carry_out, draw_up
from tieline.deadletters.planning import PENDING, Plan, Selection, plan_discard, plan_replay
from tieline.deadletters.showing import letters_json, show_causes, show_letter, show_letters, show_plan
from tieline.kernel.clock import utc_now
from tieline.kernel.errors import Stop
from tieline.kernel.fleet import consumers
from tieline.kernel.inspecting import Hub, LogReader
from tieline.kernel.letters import DEFAULT_LIMIT, Book, read_book
from tieline.kernel.memory import LetterAction

DEFAULT_LANDSCAPE = Path("deploy/local/landscape.yaml")
MAX_LIMIT = 100_000
PIPE_COLUMNS = 200  # a pipe has no width; lines must not be cut there

LandscapeOption = Annotated[
    Path,
    typer.Option(
        "--landscape", envvar="TIELINE_LANDSCAPE", help="The YAML file that describes your systems and flows."
    ),
]
LimitOption = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="Look at this many of the newest letters.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Letters, as list shows them.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="All pending letters of this key.")]
ConsumerOption = Annotated[str | None, typer.Option("--consumer", help="Only letters of this consumer.")]
CauseOption = Annotated[str | None, typer.Option("--cause", help="Only letters of this cause (list --causes).")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; is kept with the decision.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]

app = typer.Typer(help="What could not be processed: look, replay, discard.", no_args_is_help=True)


@app.command("list")
def list_command(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    consumer: ConsumerOption = None,
    key: KeyOption = None,
    cause: CauseOption = None,
    limit: LimitOption = DEFAULT_LIMIT,
    *,
    causes: Annotated[bool, typer.Option("--causes", help="Group by cause instead.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also the letters that are dealt with.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON array, for programs.")] = False,
) -> None:
    """Show the letters that wait for a decision, newest first."""
    console = open_console()
    hub = _open(landscape)
    with LogReader(hub) as log:
        book = read_book(log, _consumers(hub, consumer), limit)
    letters = [
        letter
        for letter in book.letters
        if (everything or book.stands(letter) in PENDING)
        and (key is None or letter.record.key_text == key)
        and (cause is None or fingerprint_of(letter) == cause)
    ]
    if json:
        # Plain: rich would wrap it, and what follows in a pipe must parse.
        console.file.write(letters_json(book, letters) + "\n")
    elif causes:
        show_causes(console, book, group_causes(letters))
    else:
        show_letters(console, book, letters, utc_now())


@app.command("show")
def show_command(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter, as list shows it.")],
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Show everything about one letter: where it came from, why it failed, its content and its bytes."""
    hub = _open(landscape)
    with LogReader(hub) as log:
        book = read_book(log, _of_ids(hub, [letter_id]), limit)
        letter = book.find(letter_id)
        if letter is None:
            raise Stop(f"there is no letter {letter_id} among the newest {limit}; see: tieline dead-letters list --all")
        show_letter(open_console(), log, book, letter)


@app.command("replay")
def replay_command(
    ids: IdsArgument = None,
    *,
    key: KeyOption = None,
    consumer: ConsumerOption = None,
    cause: CauseOption = None,
    reason: ReasonOption = None,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    limit: LimitOption = DEFAULT_LIMIT,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Send letters back to where they came from, byte for byte; a parked key goes whole and in order."""
    selection = Selection(tuple(ids or ()), key, consumer, cause)
    with LogReader(_open(landscape)) as log:
        desk = _Ask(log, selection, limit, reason)
        raise typer.Exit(desk.run(lambda book: plan_replay(book, selection, log.topics), dry_run=dry_run, yes=yes))


@app.command("discard")
def discard_command(
    ids: IdsArgument = None,
    *,
    key: KeyOption = None,
    consumer: ConsumerOption = None,
    cause: CauseOption = None,
    reason: ReasonOption = None,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    limit: LimitOption = DEFAULT_LIMIT,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Give letters up: they will never be processed. What waits behind a parked one may go after a replay."""
    selection = Selection(tuple(ids or ()), key, consumer, cause)
    if not reason and not dry_run:
        raise Stop("a discard needs a reason: --reason TEXT")
    with LogReader(_open(landscape)) as log:
        desk = _Ask(log, selection, limit, reason)
        raise typer.Exit(desk.run(lambda book: plan_discard(book, selection, log.topics), dry_run=dry_run, yes=yes))


class _Ask:
    """Plan, show, ask, do."""

    def __init__(self, log: LogReader, selection: Selection, limit: int, reason: str | None) -> None:
        self._log = log
        self._names = _of_ids(log, selection.ids) if selection.ids else _consumers(log, selection.consumer)
        self._limit = limit
        self._reason = reason

    def run(self, planner: Callable[[Book], Plan], *, dry_run: bool, yes: bool) -> int:
        """Exit code: 0 all done (or shown), 1 something was refused, nothing matched, or the answer was no."""
        console = open_console()
        plan = draw_up(self._log, self._names, planner, self._limit)
        show_plan(console, plan)
        if not plan.moves:
            return 1
        if not dry_run:
            if not yes and not typer.confirm("Go on?"):
                console.print("Nothing was done.")
                return 1
            done = carry_out(
                self._log,
                plan,
                by=account(),
                reason=self._reason,
                draw_again=lambda: draw_up(self._log, self._names, planner, self._limit),
            )
            console.print(f"{done} letter(s) {'discarded' if plan.action is LetterAction.DISCARD else 'replayed'}.")
        return 1 if plan.refusals else 0


def open_console() -> Console:
    """A console that cuts nothing off when its output goes to a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_COLUMNS)


def account() -> str:
    """The account that runs this, for the record of who decided."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _open(landscape: Path) -> Hub:
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root loads every processor

    return open_hub(landscape)


def _consumers(hub: Hub, consumer: str | None) -> tuple[str, ...]:
    known = consumers(hub.landscape)
    if consumer is None:
        return known
    if consumer not in known:
        raise Stop(f"there is no consumer {consumer!r}; this landscape has {', '.join(known)}")
    return (consumer,)


def _of_ids(hub: Hub, ids: Sequence[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for letter_id in ids:
        consumer, _, place = letter_id.partition("/")
        if place.count("/") != 1 or not all(part.isdecimal() for part in place.split("/")):
            raise Stop(
                f"{letter_id!r} is not a letter's id (consumer/partition/offset); see: tieline dead-letters list"
            )
        names.update(dict.fromkeys(_consumers(hub, consumer)))
    return tuple(names)
