"""``tieline stack …``: the local stack, natively or in containers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tieline.kernel.errors import Stop
from tieline.stack import docker
from tieline.stack.additions import split_names, write_landscape
from tieline.stack.docker import DockerStack
from tieline.stack.errors import StackError
from tieline.stack.paths import StackPaths, checkout

if TYPE_CHECKING:
    from tieline.stack.native import NativeStack

_SEED_SECS = 1200  # the seed bounds each of its waits itself
LANDSCAPE = Path("deploy") / "local" / "landscape.yaml"

app = typer.Typer(
    help="The local stack: real Kafka, registry, systems and Tieline's own processes.", no_args_is_help=True
)


class Kind(StrEnum):
    """How the stack runs."""

    NATIVE = "native"
    DOCKER = "docker"


KindOption = Annotated[
    Kind | None,
    typer.Option("--stack", envvar="STACK", help="native or docker; docker when an engine and Compose v2 answer."),
]


@app.command()
def up(
    stack: KindOption = None,
    *,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="Connectors whose sandboxes and flows are added, as sap,snipeit; native only."),
    ] = None,
) -> None:
    """Start everything, wait until it is healthy, fill in the demo data, and print what runs where."""
    with _Failures():
        names = split_names(with_ or ())
        landscape = _landscape_with(names, stack)
        chosen = _choose(Kind.NATIVE if names else stack, starting=True, landscape=landscape)
        chosen.up()
        _seed(chosen)
        _print_parts(chosen)
        if names:
            print(f"Commands see what was added after: export TIELINE_LANDSCAPE={landscape}")


def _landscape_with(names: Sequence[str], stack: Kind | None) -> Path:
    """The landscape to run: the demo's, or one beside it with these connectors' systems. Raises ``StackError``."""
    root = checkout()
    if not names:
        return root / LANDSCAPE
    if stack is Kind.DOCKER:
        raise StackError("WITH adds systems to the native stack only: make up STACK=native WITH=…")
    paths = StackPaths(root / ".tieline")
    return write_landscape(root / LANDSCAPE, names, to=paths.root / "landscape.yaml", secrets=paths.secrets)


@app.command()
def down(
    stack: KindOption = None,
    *,
    purge: Annotated[bool, typer.Option("--purge", help="Also remove data, logs and secrets; keep downloads.")] = False,
) -> None:
    """Stop exactly what `up` started."""
    with _Failures():
        ran = _choose(stack).down(purge=purge)
        _marker(checkout()).unlink(missing_ok=True)
        print("stopped" if ran else "nothing was running")


@app.command()
def status(stack: KindOption = None) -> None:
    """Show each part; exit code 1 when the stack does not run whole."""
    with _Failures():
        chosen = _choose(stack)
        parts = chosen.parts()
        if not parts:
            raise StackError("the stack does not run: start it with `make up`.")
        _print_parts(chosen)
        if not all(part.well for part in parts):
            raise typer.Exit(1)


@app.command()
def logs(
    parts: Annotated[list[str] | None, typer.Argument(help="Parts, as `status` names them; all when none.")] = None,
    stack: KindOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing.")] = False,
) -> None:
    """Print the end of the logs."""
    with _Failures():
        chosen = _choose(stack)
        if isinstance(chosen, DockerStack):
            raise typer.Exit(chosen.logs(parts or (), follow=follow))
        files = chosen.log_files(parts or ())
        if files:
            command = ["tail", "-n", "30", *(["-F"] if follow else []), *map(str, files)]
            raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command()
def lock() -> None:
    """Resolve the native stack's foreign programs anew and write their lock (needs the network)."""
    from tieline.stack.lock import write_lock  # noqa: PLC0415  - loads a Maven resolver nobody else needs

    print(write_lock())


class _Failures:
    """Turns an error that knows its remedy into one sentence and exit code 1."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Stop):
            print(f"tieline: {error}", file=sys.stderr)
            raise typer.Exit(1) from error


def _choose(kind: Kind | None, *, starting: bool = False, landscape: Path | None = None) -> NativeStack | DockerStack:
    root = checkout()
    marker = _marker(root)
    # `down` and `status` mean the stack that `up` started, whatever answers now.
    last = Kind(marker.read_text(encoding="utf-8").strip()) if marker.is_file() else None
    if starting and kind and last and kind is not last and _stack(last, root).parts():
        raise StackError(f"the {last} stack is up, on the same ports: run `make down` first.")
    kind = kind or last or (Kind.DOCKER if docker.available() else Kind.NATIVE)
    if starting:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(f"{kind}\n", encoding="utf-8")
    return _stack(kind, root, landscape)


def _stack(kind: Kind, root: Path, landscape: Path | None = None) -> NativeStack | DockerStack:
    if kind is Kind.DOCKER:
        return DockerStack(checkout=root, landscape=root / LANDSCAPE)
    from tieline.stack.native import NativeStack  # noqa: PLC0415  - its packages are absent from the container image

    return NativeStack(checkout=root, landscape=landscape or root / LANDSCAPE)


def _marker(root: Path) -> Path:
    return StackPaths(root / ".tieline").root / "stack"


def _seed(stack: NativeStack | DockerStack) -> None:
    if stack.tieline.run("demo", "seed", capture=False, timeout_secs=_SEED_SECS).returncode != 0:
        raise StackError("the stack runs, but `tieline demo seed` failed, see above; `make up` tries again.")


def _print_parts(stack: NativeStack | DockerStack) -> None:
    table = Table("part", "state", "address", "log")
    for part in stack.parts():
        table.add_row(part.name, part.state, f"127.0.0.1:{part.port}" if part.port else "", _short(part.log))
    Console().print(table)


def _short(log: str) -> str:
    return os.path.relpath(log) if Path(log).is_absolute() else log
