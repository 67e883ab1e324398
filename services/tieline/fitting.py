"""Flows that ask their systems for what the connectors' manifests do not declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tieline.kernel.landscape import Landscape
from tieline.kernel.manifests import DECLARED_FAMILY, Held, Manifest, manifest_of

End = Literal["source", "target"]

# What an object of a flow becomes in its target, and the operations without which nothing of it would arrive: route
# turns the lines of an order into asset records (processors/route.py).
_ARRIVES_AS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "asset": ("asset", ("create", "update")),
        "book": ("book", ("replace",)),
        "purchase-order": ("asset", ("create", "update")),
        "cost-document": ("cost-document", ("post",)),
    }
)
_FAMILY = (DECLARED_FAMILY, ("create", "update"))


@dataclass(frozen=True, slots=True)
class Misfit:
    """A flow, by its place from 0, that asks one of its ends for what that end's connector does not do."""

    flow: int
    end: End
    reason: str


def misfits(landscape: Landscape) -> Iterator[Misfit]:
    """Every flow that could not run as declared. Passes over missing connectors; a faulty manifest is a ``Stop``."""
    for place, flow in enumerate(landscape.flows):
        known = flow.object in _ARRIVES_AS
        leaves = flow.object if known else DECLARED_FAMILY
        arrives, verbs = _ARRIVES_AS.get(flow.object, _FAMILY)
        source = manifest_of(landscape.systems[flow.source].connector)
        if source is not None and not _gives(source, leaves):
            yield Misfit(place, "source", f"flow {flow.name}: {_says(source, leaves, 'out')}")
        target = manifest_of(landscape.systems[flow.target].connector)
        lacking = () if target is None else _lacking(target.objects.get(arrives), verbs)
        if target is not None and lacking:
            wanted = f"{_says(target, arrives, 'in')}, and the flow needs {arrives}: {', '.join(lacking)}"
            yield Misfit(place, "target", f"flow {flow.name}: {wanted}")


def _gives(manifest: Manifest, leaves: str) -> bool:
    held = manifest.objects.get(leaves)
    return held is not None and "out" in held.directions


def _lacking(held: Held | None, verbs: tuple[str, ...]) -> tuple[str, ...]:
    return verbs if held is None else tuple(verb for verb in verbs if verb not in held.operations)


def _says(manifest: Manifest, name: str, way: Literal["in", "out"]) -> str:
    """What the manifest says of an object, in the words that its reader looks for."""
    does = "writes" if way == "in" else "reads"
    offered = [other for other, held in manifest.objects.items() if way in held.directions]
    if name not in offered:
        return f"the connector {manifest.name} {does} no {name}; it {does} {', '.join(offered) or 'nothing'}"
    return f"the connector {manifest.name} {does} {name} only by {', '.join(manifest.objects[name].operations)}"
