"""The checker on trial: products that are broken on purpose, and whether it reports what is wrong with them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.chaos.adversary import Aim
from tests.chaos.hub import SINKS
from tests.chaos.result import Trial
from tests.chaos.run import Size, run_once
from tests.mutation.run import load_mutants, plant

SIZE = Size(events=200, kills=6, freezes=2, bounces=1, spoils=0, storms=0, usurpers=0, rests_secs=45.0)
SEEDS = 2
"""As often a broken product may get through."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A product that lacks one line; who is killed where, and who frozen. One of ``caught_by`` must be reported."""

    name: str
    mutant: str
    caught_by: Sequence[str]
    victims: Sequence[str]
    labels: Sequence[str]
    sleepers: Sequence[str] = SINKS


def load_broken() -> dict[str, Broken]:
    """Every product of broken.yaml, by name."""
    rows = yaml.safe_load(Path(__file__).with_name("broken.yaml").read_text(encoding="utf-8"))
    return {row["name"]: Broken(**row) for row in rows}


def try_broken(broken: Broken, registry: str, seed: int) -> Trial:
    """Run it, with further seeds until it is caught or ``SEEDS`` are spent."""
    mutant = next(one for one in load_mutants() if one.breaks == broken.mutant)
    found = Counter[str]()
    events = kills = seeds = 0
    example = ""
    aim = Aim(broken.victims, broken.labels, broken.sleepers)
    with tempfile.TemporaryDirectory(prefix="tieline-broken-") as folder:
        services = plant(mutant, Path(folder))
        while seeds < SEEDS and not any(found[rule] for rule in broken.caught_by):
            seeds += 1
            result = run_once(
                Path(folder) / f"run-{seeds}", registry, SIZE, seed + seeds - 1, services=services, aim=aim
            )
            found.update(fault.partition(":")[0] for fault in result.faults)
            events += result.events
            kills += sum(result.kills.values())
            told = [fault for fault in result.faults if fault.partition(":")[0] in broken.caught_by]
            example = example or (told[0] if told else "")
    return Trial(broken.name, broken.mutant, broken.caught_by, dict(found), seeds, events, kills, example)
