"""``tieline connector …``: the fleet as it stands, and a new connector begun."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tieline.authoring.scaffold import new_connector
from tieline.kernel.connectors_page import describe
from tieline.kernel.errors import Stop
from tieline.kernel.manifests import connector_folders, read_manifest

CONNECTORS = Path("services") / "tieline" / "connectors"
GOLDEN = Path("tests") / "golden"

app = typer.Typer(help="Connectors: what there is, how far each has come, and a new one.", no_args_is_help=True)


@app.command("list")
def list_command(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show every connector with its tier (docs/conformance.md), what it reads and writes, and who answers for it."""
    rows = [describe(read_manifest(folder), folder) for folder in connector_folders().values()]
    if json:
        print(json_text.dumps(rows, indent=1))  # noqa: T201  - a command's answer
        return
    table = Table("connector", "tier", "interface", "reads", "writes", "owner")
    for row in rows:
        table.add_row(
            row["name"], row["tier"], row["version"], ", ".join(row["reads"]), ", ".join(row["writes"]), row["owner"]
        )
    Console().print(table)


@app.command("new")
def new_command(
    system: Annotated[str, typer.Argument(help="Its name: lower-case letters and digits, as sap or odoo.")],
    to: Annotated[Path, typer.Option(help="Folder of the connectors.")] = CONNECTORS,
    golden: Annotated[Path, typer.Option(help="Folder of the golden records.")] = GOLDEN,
) -> None:
    """Begin a connector: a folder that works against a sandbox of its own, to be made the vendor's file by file."""
    for folder, option in ((to, "--to"), (golden, "--golden")):
        if not folder.is_dir():
            raise Stop(f"{folder} is no folder: run this in a checkout, or name one with {option}")
    files = new_connector(system, connectors=to, golden=golden)
    print(*files, sep="\n")  # noqa: T201  - a command's answer
    print(  # noqa: T201  - as above
        f"\nIt keeps the first tier as it stands: pytest tests/conformance -k {system}"
        "\nNow make it the vendor's: docs/conformance.md leads through it."
    )
