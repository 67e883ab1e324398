"""A run's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(slots=True)
class Result:
    """One part's figures, as the page shows them and the state folder keeps them."""

    seed: int
    events: int
    effects: dict[str, int]
    kills: dict[str, int]
    freezes: dict[str, int]
    strikes: dict[str, int]
    starts: int
    fenced: int
    repeated: int
    wall_secs: float
    processor_secs: float
    faults: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """For the state folder."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Trial:
    """What the checker said of a broken product, by rule, over the seeds that it took."""

    name: str
    breaks: str
    caught_by: Sequence[str]
    found: Mapping[str, int]
    seeds: int
    events: int
    kills: int
    example: str

    @property
    def is_caught(self) -> bool:
        """Whether a rule was reported that had to be."""
        return any(self.found.get(rule) for rule in self.caught_by)

    def to_json(self) -> str:
        """For the state folder."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse."""
        return cls(**json.loads(text))
