"""The two demo commands, wired: people, watcher and console around what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from tieline.demo.day import Day
from tieline.demo.organisation import demo_organisation
from tieline.demo.people import People, sign_in
from tieline.demo.seeding import is_loaded, seed
from tieline.demo.sight import figures
from tieline.demo.summary import table
from tieline.demo.watching import Watcher, watching
from tieline.kernel.errors import Stop
from tieline.wiring import Hub, open_hub


def run_seed(landscape: Path, timeout_secs: float) -> None:
    """Load the demo's year and print what both systems hold. Raises ``Stop`` when they do not agree in time."""
    plan = demo_organisation()
    with _at_work(landscape, timeout_secs) as (_, people, watcher, console):
        loaded_before = is_loaded(plan, people)
        am, erp = watcher.look() if loaded_before else seed(plan, people, watcher, console.print)
    shown = figures(am, erp)
    console.print(table(shown))
    wrong = [figure.name for figure in shown if figure.difference]
    if wrong and not loaded_before:
        raise Stop(f"the two systems differ in {', '.join(wrong)}")
    if wrong:
        # Somebody has worked with them since, or the hub is about to catch up: no fault of this command.
        console.print(f"They differ in {', '.join(wrong)}: `tieline reconcile run` says what and why.")
    else:
        console.print("Both systems agree to 0.00.")


def run_day(landscape: Path, timeout_secs: float) -> None:
    """Walk through a day. Raises ``Stop`` at the first step that does not come out as it should."""
    with _at_work(landscape, timeout_secs) as (hub, people, watcher, console):
        Day(hub, people, watcher, console).walk()


@contextmanager
def _at_work(path: Path, timeout_secs: float) -> Iterator[tuple[Hub, People, Watcher, Console]]:
    console = Console(highlight=False, soft_wrap=True)
    hub = open_hub(path)
    with (
        sign_in(hub.landscape, path) as people,
        watching(hub, people.am, people.erp, timeout_secs=timeout_secs, say=console.print) as watcher,
    ):
        yield hub, people, watcher, console
