"""What every sandbox's command line has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.script import load_script
from tieline.kernel.errors import Stop

PortOption = Annotated[int, typer.Option(help="Port to listen on; 0 lets the system choose.", min=0, max=65535)]
HostOption = Annotated[str, typer.Option(help="Address to listen on.")]
FaultsOption = Annotated[
    Path | None, typer.Option("--faults", help="Fault script in force from the start: YAML or JSON.")
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="Seed of the faults' dice, instead of the scripts' own.", min=0)
]
JournalOption = Annotated[
    Path | None, typer.Option("--journal", help="File that the journal is appended to; in memory only without one.")
]


def faults_of(path: Path | None, seed: int | None, playable: frozenset[str]) -> Faults:
    """The rules of a script, none without one; a wrong one ends the command with the place in it."""
    if path is None:
        return Faults()
    try:
        return Faults(load_script(path, playable, seed))
    except Stop as stop:
        raise typer.BadParameter(str(stop), param_hint="--faults") from None
