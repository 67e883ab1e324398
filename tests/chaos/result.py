"""A run's figures."""

from __future__ import annotations

import json
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

    def to_json(self) -> str:
        """For the state folder."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse."""
        return cls(**json.loads(text))
