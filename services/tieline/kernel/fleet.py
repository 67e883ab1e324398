"""Which processes an estate needs, derived from its landscape: nothing is listed twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.kernel.landscape import Landscape

PROCESSORS = ("identify", "accept", "route")


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process: its name (unique, also its consumer name) and its command line."""

    name: str
    argv: Sequence[str]


def processes(landscape: Landscape) -> Sequence[ProcessSpec]:
    """Every Tieline process of this estate, in an order in which they may be started."""
    specs = [ProcessSpec(name, ("tieline", "run", name)) for name in PROCESSORS]
    for system in landscape.systems:
        specs.append(ProcessSpec(f"source-{system}", ("tieline", "run", "source", system)))
        specs.append(ProcessSpec(f"sink-{system}", ("tieline", "run", "sink", system)))
    specs.append(ProcessSpec("views", ("tieline", "run", "views")))
    return specs


def metrics_ports(landscape: Landscape) -> dict[str, int]:
    """Where each process shows its metrics, by its name: one port after the other; none where they are off."""
    if not landscape.metrics_port:
        return {}
    return {spec.name: landscape.metrics_port + place for place, spec in enumerate(processes(landscape))}


def consumers(landscape: Landscape) -> tuple[str, ...]:
    """Every consumer that has a dead-letter topic."""
    names = [*PROCESSORS]
    for system in landscape.systems:
        names += [f"source-{system}", f"sink-{system}"]
    return tuple(names)
