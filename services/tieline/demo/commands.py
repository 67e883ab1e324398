"""``tieline demo …``: fill the demo's systems, and walk through a day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tieline.demo.day import Day
from tieline.demo.organisation import demo_organisation
from tieline.demo.people import sign_in
from tieline.demo.seeding import seed as seed_systems
from tieline.demo.sight import figures
from tieline.demo.summary import table
from tieline.demo.watching import watching
from tieline.kernel.errors import Stop
from tieline.wiring import open_hub

LandscapeOption = Annotated[
    Path, typer.Option("--landscape", envvar="TIELINE_LANDSCAPE", help="The YAML file that describes the demo.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout-secs", min=1, max=3600, help="How long to wait for the hub at each step.")
]
DEFAULT_LANDSCAPE = Path("deploy/local/landscape.yaml")
DEFAULT_TIMEOUT_SECS = 180.0

app = typer.Typer(help="A demo organisation: fill its systems, walk through a day.", no_args_is_help=True)


@app.command()
def seed(landscape: LandscapeOption = DEFAULT_LANDSCAPE, timeout_secs: TimeoutOption = DEFAULT_TIMEOUT_SECS) -> None:
    """Load the demo's year through both systems' own APIs and wait until they agree; a second run adds nothing."""
    console = Console(highlight=False, soft_wrap=True)
    hub = open_hub(landscape)
    with (
        sign_in(hub.landscape, landscape) as people,
        watching(hub, people.am, people.erp, timeout_secs=timeout_secs, say=console.print) as watcher,
    ):
        am, erp = seed_systems(demo_organisation(), people, watcher, console.print)
    shown = figures(am, erp)
    console.print(table(shown))
    if wrong := [figure.name for figure in shown if figure.difference]:
        raise Stop(f"the two systems differ in {', '.join(wrong)}")
    console.print("Both systems agree to 0.00.")


@app.command()
def day(landscape: LandscapeOption = DEFAULT_LANDSCAPE, timeout_secs: TimeoutOption = DEFAULT_TIMEOUT_SECS) -> None:
    """Walk through a day: purchase, service, move, maintenance, depreciation, disposal, foreign edits, repair."""
    console = Console(highlight=False, soft_wrap=True)
    hub = open_hub(landscape)
    with (
        sign_in(hub.landscape, landscape) as people,
        watching(hub, people.am, people.erp, timeout_secs=timeout_secs, say=console.print) as watcher,
    ):
        Day(hub, people, watcher, console).walk()
