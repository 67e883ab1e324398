"""The fleet as a page: tiers, what each connector reads and writes and how it stays idempotent, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from tieline.kernel.clauses import CLAUSES, Tier, missing_clauses, tier_of
from tieline.kernel.manifests import Held, Manifest, connector_folders, read_manifest

_HEAD = """\
# Connectors

Generated from the manifests (`make docs`). The tier follows from the clauses that a connector keeps: each must be shown
by the conformance suite against its sandbox, or by a test against the real part that stands in for one.
"""


class Row(TypedDict):
    """One connector as the list shows it."""

    name: str
    title: str
    tier: str
    role: str
    owner: str
    version: str
    reads: list[str]
    writes: list[str]
    missing: list[str]


def describe(manifest: Manifest, folder: Path) -> Row:
    """One connector in the words of the list."""
    return Row(
        name=manifest.name,
        title=manifest.title,
        tier=tier_of(manifest, folder).word,
        role=manifest.role,
        owner=manifest.owner,
        version=manifest.api.version,
        reads=[name for name, held in manifest.objects.items() if "out" in held.directions],
        writes=[name for name, held in manifest.objects.items() if "in" in held.directions],
        missing=list(missing_clauses(manifest, folder)),
    )


def render_connectors(folders: Mapping[str, Path] | None = None) -> str:
    """The whole page, of all connectors unless told otherwise."""
    fleet = connector_folders() if folders is None else folders
    manifests = {name: read_manifest(folder) for name, folder in fleet.items()}
    parts = [_HEAD, "## Tiers\n", *_tiers(manifests, fleet), "\n## Coverage\n", *_coverage(manifests)]
    parts += ["\n## What is not done, and why\n", *_exemptions(manifests, fleet), "\n## Clauses\n", *_clauses()]
    return "\n".join(parts) + "\n"


def _tiers(manifests: Mapping[str, Manifest], fleet: Mapping[str, Path]) -> Iterator[str]:
    yield "| connector | system | role | tier | interface | not shown | owner |"
    yield "|---|---|---|---|---|---|---|"
    for name, manifest in manifests.items():
        row = describe(manifest, fleet[name])
        missing = ", ".join(row["missing"])
        yield _row(name, row["title"], row["role"], row["tier"], _interface(manifest), missing, row["owner"])


def _interface(manifest: Manifest) -> str:
    return f"{manifest.api.style}, {manifest.api.version}: {manifest.api.contract}"


def _coverage(manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """Objects by connector: who reads what, who writes what by which operation, and what keeps it from being twice."""
    yield "`tieline check` refuses a flow that asks for more than this.\n"
    yield "| object | connector | read | written by | idempotency |"
    yield "|---|---|---|---|---|"
    for name in sorted({name for manifest in manifests.values() for name in manifest.objects}):
        for connector, manifest in manifests.items():
            held = manifest.objects.get(name)
            if held is not None and held.directions:
                yield from _operations(name, connector, held)


def _operations(name: str, connector: str, held: Held) -> Iterator[str]:
    read = "yes" if "out" in held.directions else ""
    if not held.operations:
        yield _row(name, connector, read, "", "")
    for verb, operation in held.operations.items():
        yield _row(name, connector, read, verb, f"{operation.idempotency}: {operation.key}")


def _exemptions(manifests: Mapping[str, Manifest], fleet: Mapping[str, Path]) -> Iterator[str]:
    yield "| connector | rule or clause | why |"
    yield "|---|---|---|"
    for name, manifest in manifests.items():
        for rule, said in manifest.rules.items():
            if said.why is not None:
                yield _row(name, rule, said.why)
        for clause, why in manifest.waivers.items():
            yield _row(name, clause, why)
        if manifest.stand_in is not None:
            missing = ", ".join(missing_clauses(manifest, fleet[name]))
            yield _row(name, missing, f"no test shows it against {manifest.stand_in.part}")


def _clauses() -> Iterator[str]:
    for tier in list(Tier)[1:]:
        yield f"**{tier.word}**, beside the tiers before it:\n"
        yield from (f"- {name}: {clause.says}" for name, clause in CLAUSES.items() if clause.tier is tier)
        yield ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
