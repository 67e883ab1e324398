"""What `up` and `status` show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the summary. ``port`` is on the loopback; ``log`` a file's path, or the command that shows it."""

    name: str
    state: str
    port: int | None
    log: str

    @property
    def well(self) -> bool:
        """True when the part does what it should."""
        return self.state in {"running", "healthy"}
