"""What should be where: which system is expected to hold what, and which of its fields are comparable."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tieline.depreciation.dialects import Dialect
from tieline.kernel.asset_records import AssetState
from tieline.kernel.landscape import Landscape, Mode
from tieline.kernel.ownership import Ownership, expects_asset

Held = Mapping[str, frozenset[str]]
"""Asset fields each system holds, as its connector's manifest declares (``objects.asset.fields``)."""

Dialects = Mapping[str, Dialect]
"""How each system's own schedules count, as its connector's manifest declares (``objects.book.dialect``)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The landscape's promises, as questions. Pure."""

    landscape: Landscape
    ownership: Ownership
    held: Held
    today: dt.date = dt.date.max
    dialects: Dialects = field(default_factory=dict)
    _enabled: frozenset[tuple[str, str, str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        flows = self.landscape.flows
        enabled = frozenset((f.object, f.source, f.target) for f in flows if f.mode is Mode.ENABLED)
        object.__setattr__(self, "_enabled", enabled)  # the only way to fill a derived field of a frozen class

    def role(self, system: str) -> str:
        """Role of a system."""
        return self.landscape.role_of(system)

    def flows(self, kind: str, source: str, target: str) -> bool:
        """Whether an enabled flow carries this object from source to target."""
        return (kind, source, target) in self._enabled

    def receives(self, kind: str, system: str) -> bool:
        """Whether any enabled flow brings this object into the system."""
        return any(known == kind and target == system for known, _, target in self._enabled)

    def givers(self, kind: str) -> frozenset[str]:
        """Systems from which an enabled flow takes this object."""
        return frozenset(source for known, source, _ in self._enabled if known == kind)

    def expects(self, state: AssetState, system: str, known_in: Iterable[str]) -> bool:
        """Whether the system should hold the asset: its role wants it, and a flow leads there from who knows it."""
        if not expects_asset(state, self.role(system)):
            return False
        sources = {*known_in, *state.links, *state.said_by.values()}
        return any(self.flows("asset", source, system) for source in sources)

    def compares(self, state: AssetState, system: str, name: str) -> bool:
        """Whether the system's value of the field must equal the hub's.

        It must when the system holds the field and itself said the value, or a flow brings it the value, or nobody
        said one: then whatever the system holds has not been heard.
        """
        if name not in self.held.get(system, frozenset()):
            return False
        sayer = state.said_by.get(name)
        return sayer is None or sayer == system or self.flows("asset", sayer, system)

    def may_write(self, state: AssetState, system: str, name: str) -> bool:
        """Whether the hub decides what the system holds in this field; if not, the system's own word counts."""
        if state.said_by.get(name) in {None, system}:
            return False
        ownership = self.ownership.effective(state.fields.company, self.today)
        return name in ownership.writable_fields(state.said_by, system, self.role(system))
