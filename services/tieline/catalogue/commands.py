"""``tieline topics catalogue``: write the generated reference files, or say which are stale."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tieline.catalogue.files import generated, stale, write
from tieline.catalogue.inputs import read_inputs


def catalogue_command(
    landscape: Annotated[
        Path,
        typer.Option("--landscape", envvar="TIELINE_LANDSCAPE", help="The landscape whose systems are described."),
    ] = Path("deploy/local/landscape.yaml"),
    to: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("docs/reference"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file is stale.")] = False,
) -> None:
    """Write the catalogue, the topic and field pages, AsyncAPI and the data contracts."""
    wanted = generated(read_inputs(landscape))
    if not check:
        write(to, wanted)
        return
    found = stale(to, wanted)
    for name in found:
        print(f"{to / name} is stale: run `make docs` and commit the result.", file=sys.stderr)  # noqa: T201  - a command's answer
    if found:
        raise typer.Exit(1)
