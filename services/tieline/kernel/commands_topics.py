"""``tieline topics …``: what would change, change it, lint it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tieline.kernel.applying import CALL_TIMEOUT_SECS, Plan, apply, plan
from tieline.kernel.declarations import Declared, Tree, declared, read_tree
from tieline.kernel.errors import Stop
from tieline.kernel.families import NO_FAMILIES, Families
from tieline.kernel.findings import Finding
from tieline.kernel.landscape import Landscape, load_landscape
from tieline.kernel.linting import compare_trees, kernel_mirrors, lint
from tieline.kernel.shapes import shapes_of

PENDING = 2
REFUSED = 1

LandscapeOption = Annotated[
    Path,
    typer.Option(
        "--landscape", envvar="TIELINE_LANDSCAPE", help="The YAML file that describes your systems and flows."
    ),
]
DEFAULT_LANDSCAPE = Path("deploy/local/landscape.yaml")


def plan_command(landscape: LandscapeOption = DEFAULT_LANDSCAPE) -> None:
    """Show what `apply` would do. Exit code 0: nothing; 2: changes are pending; 1: a change is refused."""
    estate = _load(landscape)
    with _connected(estate) as (admin, registry):
        steps = plan(estate, admin, registry)
    show_plan(steps, Console())
    if steps.refused:
        raise typer.Exit(REFUSED)
    if not steps.empty:
        raise typer.Exit(PENDING)


def apply_command(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Create and change topics, levels and schemas as declared. Deletes nothing; does nothing the second time."""
    estate = _load(landscape)
    console = Console()
    with _connected(estate) as (admin, registry):
        steps = plan(estate, admin, registry)
        show_plan(steps, console)
        if steps.empty:
            return
        if not steps.refused and not yes and not typer.confirm("Apply?"):
            raise typer.Exit(PENDING)
        apply(steps, admin, registry)
    done = len(steps.create) + len(steps.configs) + len(steps.levels) + len(steps.register)
    console.print(f"{done} changes applied.")


def lint_command(
    against: Annotated[
        Path | None,
        typer.Option(help="A checkout of an earlier release: also find changes that alter the meaning of stored data."),
    ] = None,
    landscape: Annotated[
        Path | None,
        typer.Option(envvar="TIELINE_LANDSCAPE", help="A landscape: also check the record families it declares."),
    ] = None,
) -> None:
    """Check every topic and schema file, those of a landscape's families too. Exit code 1 if a rule is broken."""
    families = NO_FAMILIES if landscape is None else load_landscape(landscape).families
    tree = read_tree(declared(), families)
    findings = lint_all(tree, families)
    if against is not None:
        earlier = read_tree(Declared(against / "topics", against / "schemas" / "avro"))
        if not earlier.schemas:
            raise Stop(f"{against}: there are no schemas under schemas/avro; name a checkout with --against")
        findings += compare_trees(earlier, tree)
    show_findings(findings, Console())
    if findings:
        raise typer.Exit(1)


def lint_all(tree: Tree, families: Families) -> tuple[Finding, ...]:
    """Findings in the hub's own declarations and these families'. Raises ``Stop`` for a family that is none."""
    return lint(tree, {**kernel_mirrors(tree.schemas), **shapes_of(families).mirrors})


def show_plan(steps: Plan, console: Console) -> None:
    """Print a plan: ``+`` is created, ``~`` changed, ``!`` refused, ``?`` there but undeclared."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(4):
        table.add_column(overflow="fold")  # a name cut short cannot be searched for
    for create in steps.create:
        words = f"{create.topic.partitions} partitions, {create.replication_factor} copies"
        table.add_row("[green]+[/]", "topic", escape(create.topic.name), words)
    for config in steps.configs:
        words = f"{config.setting}: {config.old} → {config.new}"
        table.add_row("[yellow]~[/]", "topic", escape(config.topic), escape(words))
    for level in steps.levels:
        sign = "[green]+[/]" if level.old is None else "[yellow]~[/]"
        table.add_row(sign, "level", escape(level.subject), f"{level.old or 'none'} → {level.new}")
    for schema in steps.register:
        sign = "[green]+[/]" if schema.changes is None else "[yellow]~[/]"
        words = "first version" if schema.changes is None else "\n".join(str(change) for change in schema.changes)
        table.add_row(sign, "schema", escape(schema.subject), escape(words))
    for refused in steps.refused:
        table.add_row("[red]![/]", "refused", "", escape(refused))
    for surplus in steps.surplus:
        table.add_row("[dim]?[/]", "undeclared", escape(surplus), "left alone")
    if table.row_count:
        console.print(table)
    if steps.empty:
        console.print("Nothing to do.")


def show_findings(findings: tuple[Finding, ...], console: Console) -> None:
    """Print findings as ``place: message [rule]``, one a line."""
    for finding in findings:
        console.print(f"{finding.place}: {finding.message} [{finding.rule}]", markup=False, soft_wrap=True)
    console.print(f"{len(findings)} findings." if findings else "Topics and schemas are in order.")


def _load(path: Path) -> Landscape:
    """The landscape, its families looked at: nothing is registered of one that the processes would then refuse."""
    estate = load_landscape(path)
    shapes_of(estate.families)
    return estate


@contextmanager
def _connected(estate: Landscape) -> Iterator[tuple[AdminClient, SchemaRegistryClient]]:
    admin = AdminClient({"bootstrap.servers": estate.kafka.bootstrap_servers, "log_level": 3, **estate.kafka.client})
    with SchemaRegistryClient({"url": estate.registry.url, "timeout": CALL_TIMEOUT_SECS}) as registry:
        yield admin, registry
