"""``tieline demo …``: fill the demo's systems, and walk through a day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from tieline.demo.running import run_seed  # noqa: PLC0415  - every other command starts without the demo

    run_seed(landscape, timeout_secs)


@app.command()
def day(landscape: LandscapeOption = DEFAULT_LANDSCAPE, timeout_secs: TimeoutOption = DEFAULT_TIMEOUT_SECS) -> None:
    """Walk through a day: purchase, service, move, maintenance, depreciation, disposal, foreign edits, repair."""
    from tieline.demo.running import run_day  # noqa: PLC0415  - every other command starts without the demo

    run_day(landscape, timeout_secs)
