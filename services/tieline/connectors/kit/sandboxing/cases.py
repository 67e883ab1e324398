"""What the conformance suite is given of a connector: ``CASE`` in ``tests/golden/<connector>/case.py``.

A case opens the system (a sandbox, or files in a folder), is a person at work in it, and has one trial for each
operation that the manifest declares. The suite does the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.clock import Clock
from tieline.kernel.command_records import Command
from tieline.kernel.protocols import Connector

AMOUNT = Decimal("90071992547409.93")
"""What every record that ``create`` makes costs: a binary fraction of 53 bits loses its last cent."""
CURRENCY = "EUR"


@dataclass(frozen=True, slots=True)
class Opening:
    """How the suite wants the system opened, on a port that the machine chooses.

    ``faults`` are in force from the start and change while it runs; the system dates what happens by ``clock``; with a
    ``webhook_url`` that URL is subscribed.
    """

    folder: Path
    faults: Faults
    clock: Clock
    webhook_url: str | None = None


class World(Protocol):
    """The opened system, and a person who works in it by its own API or directly in its store. Never through faults.

    ``settings`` are for ``connect``, secrets as ``SecretStr``, time-outs around a third of a second.
    """

    @property
    def settings(self) -> Mapping[str, object]:
        """For ``connect``."""
        ...

    async def create(self, number: int) -> str:
        """A new record of the case's stream that costs ``AMOUNT`` and is like no other; its native id."""
        ...

    async def edit(self, native_id: str, number: int) -> None:
        """Change the record, each time to another place or text."""
        ...

    async def delete(self, native_id: str) -> None:
        """Take the record away."""
        ...

    def journal(self) -> Sequence[Mapping[str, object]]:
        """Every effect since it was opened, oldest first, with ``action``, ``object`` and ``object_id``."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """A command that is ready to be written: what it needs is there."""

    command: Command
    native_id: str | None = None


Prepare = Callable[[World, Connector, int], Awaitable[Trial]]


@dataclass(frozen=True, slots=True)
class Case:
    """One connector before the suite.

    ``stream`` is the one that ``World.create`` makes records of; ``golden`` the golden record of it that has a value
    nobody knows in a closed list; ``playable`` the fault kinds of the sandbox, none where nothing is called.
    ``fields`` are the n-th new asset as the hub would write it, with everything that the system must have: from them
    the suite makes the trials of ``asset.create``, ``asset.update`` and ``asset.remove``; ``trials`` are all others.
    ``small_pages`` are settings for pages of two records, ``short_answers`` such as forbid an answer of 20,000 bytes.
    ``made`` and ``unmade`` are the journal's words for a record that is there, and that is gone again.
    """

    open: Callable[[Opening], AbstractAsyncContextManager[World]]
    stream: str
    golden: str
    playable: frozenset[str] = frozenset()
    fields: Callable[[int], AssetFields] | None = None
    trials: Mapping[str, Prepare] = field(default_factory=dict)
    small_pages: Mapping[str, object] = field(default_factory=dict)
    short_answers: Mapping[str, object] = field(default_factory=dict)
    made: frozenset[str] = frozenset({"created", "posted"})
    unmade: frozenset[str] = frozenset({"deleted", "removed"})
