"""``tieline …``: one group of commands per room. Reads configuration, wires, forwards signals; nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tieline.kernel.errors import Stop, TielineError
from tieline.kernel.telemetry import configure_logging

DEFAULT_LANDSCAPE = Path("deploy/local/landscape.yaml")

LandscapeOption = Annotated[
    Path,
    typer.Option(
        "--landscape", envvar="TIELINE_LANDSCAPE", help="The YAML file that describes your systems and flows."
    ),
]

app = typer.Typer(
    name="tieline",
    help="Keeps asset-management systems and ERPs telling the same story, over Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
run = typer.Typer(help="Run one process of the hub in the foreground, until SIGTERM.", no_args_is_help=True)
topics = typer.Typer(
    help="Topics and schemas as code: see what would change, change it, lint it.", no_args_is_help=True
)
app.add_typer(run, name="run")
app.add_typer(topics, name="topics")


@run.command("identify")
def run_identify(landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Find out which reports speak of the same thing, and give each its canonical id."""
    _run_processor("identify", landscape)


@run.command("accept")
def run_accept(landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Apply ownership to reports and publish what changed as events and state."""
    _run_processor("accept", landscape)


@run.command("route")
def run_route(landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Turn events into commands for the systems that need them."""
    _run_processor("route", landscape)


@run.command("source")
def run_source(system: str, landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Read SYSTEM (a name under systems in the landscape) and publish what it says."""
    from tieline.wiring import open_hub  # noqa: PLC0415  - each command loads only what it needs
    from tieline.wiring import run_source as run_it  # noqa: PLC0415  - as above

    configure_logging(os.environ.get("TIELINE_LOG_LEVEL", "info"))
    run_it(open_hub(landscape), system)


@run.command("sink")
def run_sink(system: str, landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Write what SYSTEM must know through its API, once."""
    from tieline.wiring import open_hub  # noqa: PLC0415  - each command loads only what it needs
    from tieline.wiring import run_sink as run_it  # noqa: PLC0415  - as above

    configure_logging(os.environ.get("TIELINE_LOG_LEVEL", "info"))
    run_it(open_hub(landscape), system)


def _run_processor(name: str, landscape: Path) -> None:
    from tieline.wiring import open_hub, run_processor  # noqa: PLC0415  - each command loads only what it needs

    configure_logging(os.environ.get("TIELINE_LOG_LEVEL", "info"))
    run_processor(open_hub(landscape), name)


def main() -> None:
    """Entry point: a ``Stop`` is one clear sentence on standard error and exit code 1."""
    try:
        app()
    except Stop as stop:
        print(f"tieline: {stop}", file=sys.stderr)
        raise SystemExit(1) from None
    except TielineError as error:
        print(f"tieline: {type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
