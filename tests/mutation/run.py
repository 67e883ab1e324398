"""Mutation run: each line that keeps a rule is taken out in turn, and its tests must fail without it.

``make mutants`` runs it over mutants.yaml. A mutant that survives is a rule that nothing tests, and fails the run; so
does one whose line is no longer in the code. ``python tests/mutation/run.py T07`` runs those whose name has that text.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[2]
SEEDS = "60"  # of the simulation, for each mutant
FAILED = 1  # pytest: tests were run and some failed; anything else is no verdict


class Mutant(BaseModel):
    """One rule, the line that keeps it, what stands there instead, and the tests that must then fail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    breaks: str = Field(description="Trap or invariant, and what goes wrong.")
    file: str = Field(description="Under services/tieline.")
    line: str = Field(description="Text that stands there exactly once.")
    instead: str = Field(description="What takes its place.")
    tests: str = Field(description="Arguments of pytest.")


def load_mutants() -> list[Mutant]:
    """Every mutant of mutants.yaml."""
    rows = yaml.safe_load(Path(__file__).with_name("mutants.yaml").read_text(encoding="utf-8"))
    return [Mutant.model_validate(row) for row in rows]


def plant(mutant: Mutant, folder: Path) -> Path:
    """A copy of the product in ``folder`` with the mutant's line changed; what to put on PYTHONPATH.

    Raises ``ValueError`` if the line does not stand there exactly once.
    """
    services = folder / "services"
    shutil.copytree(ROOT / "services", services, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("schemas", "topics"):
        (folder / name).symlink_to(ROOT / name)
    path = services / "tieline" / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.line) != 1:
        raise ValueError(f"its line stands {text.count(mutant.line)} times in {mutant.file}")
    path.write_text(text.replace(mutant.line, mutant.instead), encoding="utf-8")
    return services


def survives(mutant: Mutant) -> str | None:
    """None if a test failed without the line; else why the mutant counts as alive."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            services = plant(mutant, Path(folder))
        except ValueError as error:
            return str(error)
        return _verdict(services, mutant.tests)


def _verdict(services: Path, tests: str) -> str | None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
    environment = os.environ | {"PYTHONPATH": str(services), "TIELINE_SEEDS": SEEDS}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == FAILED and "rror at setup of" not in done.stdout:
        return None
    return "no test failed" if done.returncode == 0 else f"no verdict, pytest ended so: {done.stdout[-300:]}"


def main() -> int:
    """Run every mutant, or those whose name contains the first argument; 1 if one survived."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutant for mutant in load_mutants() if wanted in mutant.breaks]
    alive = 0
    with ThreadPoolExecutor(2) as pool:
        for mutant, reason in zip(chosen, pool.map(survives, chosen), strict=True):
            alive += reason is not None
            print(f"{'SURVIVED' if reason else 'killed  '}  {mutant.breaks}  {reason or ''}", flush=True)  # noqa: T201  - its report
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed")  # noqa: T201  - as above
    return min(alive, 1)


if __name__ == "__main__":
    raise SystemExit(main())
