"""``tieline …``: one group of commands per room. Reads configuration, wires, forwards signals; nothing else."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import KafkaError, KafkaException

from tieline.kernel.disk import why_no_room
from tieline.kernel.errors import Stop, TielineError
from tieline.kernel.telemetry import configure_logging
from tieline.rooms import Rooms

DEFAULT_LANDSCAPE = Path("deploy/local/landscape.yaml")

LandscapeOption = Annotated[
    Path,
    typer.Option(
        "--landscape", envvar="TIELINE_LANDSCAPE", help="The YAML file that describes your systems and flows."
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
SystemsOption = Annotated[list[str] | None, typer.Option("--system", help="Only this system; may be given again.")]

app = typer.Typer(
    name="tieline",
    cls=Rooms,
    help="Keeps asset-management systems and ERPs telling the same story, over Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
topics = typer.Typer(
    cls=Rooms,
    help="Topics and schemas as code: see what would change, change it, lint it.",
    no_args_is_help=True,
)
sandboxes = typer.Typer(
    cls=Rooms,
    help="Run a simulator of a vendor's API, or a proxy before a real one, that fails on purpose: docs/sandboxes.md.",
    no_args_is_help=True,
)
run = typer.Typer(help="Run one process of the hub in the foreground, until SIGTERM.", no_args_is_help=True)
reconcile = typer.Typer(help="Do the systems agree? Read them back, report, plan the repair.", no_args_is_help=True)
landscapes = typer.Typer(help="The landscape file.", no_args_is_help=True)
app.add_typer(run, name="run")
app.add_typer(reconcile, name="reconcile")
app.add_typer(landscapes, name="landscape")
app.add_typer(topics, name="topics")
app.add_typer(sandboxes, name="sandbox")


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


@run.command("views")
def run_views(landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Serve the live views (cost per asset, spend, disposal lag, flow completeness) over HTTP on the loopback."""
    from tieline.views.commands import run_views as run_it  # noqa: PLC0415  - Faust is loaded only here

    configure_logging(os.environ.get("TIELINE_LOG_LEVEL", "info"))
    run_it(landscape)


@app.command()
def check(landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Refuse a landscape that is incomplete or wrong, with the line and the reason of each fault."""
    from tieline.checking import check_landscape  # noqa: PLC0415  - each command loads only what it needs

    faults = check_landscape(landscape)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        raise typer.Exit(1)
    print(f"{landscape}: complete.")


@landscapes.command("schema")
def landscape_schema() -> None:
    """Print the JSON Schema of the landscape file, for editors."""
    from tieline.kernel.landscape_schema import schema_text  # noqa: PLC0415  - each command loads only what it needs

    print(schema_text())


@reconcile.command("run")
def reconcile_run(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    systems: SystemsOption = None,
    *,
    schedules: Annotated[
        bool,
        typer.Option(help="Check the ERPs' depreciation schedules line by line: some milliseconds for each book."),
    ] = True,
    json: JsonOption = False,
) -> None:
    """Read every system back, compare it with the hub, report. Exit code 0 clean, 1 drift, 3 inconclusive.

    Also compares an ERP's assets with its control accounts, where the landscape names them, and its schedules with the
    reference; a schedule that differs is reported and is no drift.
    """
    from rich.console import Console  # noqa: PLC0415  - each command loads only what it needs

    from tieline.reconciliation import commands  # noqa: PLC0415  - as above
    from tieline.wiring import open_hub, open_reconciliation  # noqa: PLC0415  - as above

    hub = open_reconciliation(open_hub(landscape))
    raise typer.Exit(commands.run(hub, Console(), systems=systems or (), schedules=schedules, json=json))


@reconcile.command("report")
def reconcile_report(landscape: LandscapeOption = DEFAULT_LANDSCAPE, *, json: JsonOption = False) -> None:
    """Print the last run and what is still open; reads nothing back."""
    from rich.console import Console  # noqa: PLC0415  - each command loads only what it needs

    from tieline.reconciliation import commands  # noqa: PLC0415  - as above
    from tieline.wiring import open_hub, open_reconciliation  # noqa: PLC0415  - as above

    hub = open_reconciliation(open_hub(landscape))
    raise typer.Exit(commands.report(hub.log, Console(), json=json))


@reconcile.command("repair")
def reconcile_repair(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    systems: SystemsOption = None,
    plan_hash: Annotated[str | None, typer.Option("--plan-hash", help="Hash of the plan that you looked at.")] = None,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Send the plan's commands; needs --plan-hash.")] = False,
    allow_removal: Annotated[
        bool, typer.Option("--allow-removal", help="Let the plan remove surplus records from asset management.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run, then show how the differences would be repaired; with --apply and the plan's hash, do it."""
    from rich.console import Console  # noqa: PLC0415  - each command loads only what it needs

    from tieline.reconciliation import commands  # noqa: PLC0415  - as above
    from tieline.wiring import open_hub, open_reconciliation  # noqa: PLC0415  - as above

    hub = open_reconciliation(open_hub(landscape))
    code = commands.repair(
        hub,
        Console(),
        apply=apply,
        plan_hash=plan_hash,
        allow_removal=allow_removal,
        systems=systems or (),
        json=json,
    )
    raise typer.Exit(code)


def _run_processor(name: str, landscape: Path) -> None:
    from tieline.wiring import open_hub, run_processor  # noqa: PLC0415  - each command loads only what it needs

    configure_logging(os.environ.get("TIELINE_LOG_LEVEL", "info"))
    run_processor(open_hub(landscape), name)


def main() -> None:
    """Entry point: a ``Stop`` is one clear sentence on standard error and exit code 1."""
    try:
        app()
    except Stop as stop:
        _tell(str(stop))
        raise SystemExit(1) from None
    except TielineError as error:
        _tell(f"{type(error).__name__}: {error}")
        raise SystemExit(1) from None
    except OSError as error:
        if (full := why_no_room(error)) is None:
            raise
        place = error.filename or "what the command was writing"
        _tell(f"{place}: {full}; free space and start it again. What the hub knows is in Kafka: nothing of it is lost")
        raise SystemExit(1) from None
    except KafkaException as error:
        why = error.args[0].str() if error.args and isinstance(error.args[0], KafkaError) else str(error)
        _tell(f"Kafka does not answer as it should: {why}; see kafka in the landscape")
        raise SystemExit(1) from None


def _tell(sentence: str) -> None:
    with suppress(OSError):  # where standard error is what is full, the exit code has to do
        print(f"tieline: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
