"""The clauses that every connector keeps (tests/conformance), and the tier that a connector has reached by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType

from tieline.kernel.manifests import Manifest


class Tier(IntEnum):
    """How far a connector has come; each tier has the clauses of those before it, too."""

    UNTRIED = 0  # nothing shows any clause
    SCAFFOLDED = 1  # it starts, reads, and keeps its secrets
    TRIED = 2  # whole records, read and written exactly
    CERTIFIED = 3  # once, whatever fails on the way

    @property
    def word(self) -> str:
        """``certified``."""
        return self.name.lower()


Applies = Callable[[Manifest], bool]


def _always(_manifest: Manifest) -> bool:
    return True


def _reads(manifest: Manifest) -> bool:
    return bool(manifest.streams)


def _reads_changes(manifest: Manifest) -> bool:
    return manifest.reads_changes


def _reads_by_calls(manifest: Manifest) -> bool:
    return manifest.api.network and bool(manifest.streams)


def _polls_by_calls(manifest: Manifest) -> bool:
    return manifest.api.network and manifest.reads_changes


def _tells_of_deletions(manifest: Manifest) -> bool:
    rule = manifest.rules.get("deletions-in-stream")
    return _polls_by_calls(manifest) and (rule is None or rule.status == "done")


def _writes(manifest: Manifest) -> bool:
    return bool(manifest.writes)


def _writes_assets(manifest: Manifest) -> bool:
    return "asset.update" in manifest.writes


def _calls(manifest: Manifest) -> bool:
    return manifest.api.network


def _hears(manifest: Manifest) -> bool:
    return manifest.webhooks.received


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: what it says, the tier that needs it, and which connectors it speaks of."""

    says: str
    tier: Tier
    applies: Applies = _always


CLAUSES: Mapping[str, Clause] = MappingProxyType(
    {
        "C01": Clause("The manifest is complete and says what the code does.", Tier.SCAFFOLDED),
        "C02": Clause("No secret stands in an error, a log line or a repr (Invariant 14).", Tier.SCAFFOLDED),
        "C03": Clause("A golden record is mapped as written down, a faulty one refused by its field.", Tier.SCAFFOLDED),
        "C04": Clause("A whole read gives each record once, page by page.", Tier.SCAFFOLDED, _reads),
        "C05": Clause(
            "Reading of changes goes on after a stop at any page and loses nothing (Invariant 1).",
            Tier.SCAFFOLDED,
            _reads_changes,
        ),
        "C06": Clause(
            "Equal times of change at a page's border lose no record (Invariant 1).", Tier.TRIED, _reads_changes
        ),
        "C07": Clause(
            "A whole read that fails at any page raises and, begun anew, is whole (Invariant 12).",
            Tier.TRIED,
            _reads_by_calls,
        ),
        "C08": Clause("A read is bounded: by its limit, and by the length of an answer.", Tier.TRIED, _reads),
        "C09": Clause(
            "Each declared operation takes effect once; done again it does nothing (Invariant 3).", Tier.TRIED, _writes
        ),
        "C10": Clause("What was written is known again as our own echo (Invariant 8).", Tier.TRIED, _writes_assets),
        "C11": Clause("Money comes back to the last digit (Invariant 11).", Tier.TRIED, _reads),
        "C12": Clause("A value of a closed list that nobody knows is held, never guessed.", Tier.TRIED, _reads),
        "C13": Clause(
            "A deletion is claimed from a complete read only (Invariant 12).", Tier.TRIED, _tells_of_deletions
        ),
        "C14": Clause(
            "One effect whatever fails at whatever step, by the sandbox's journal (Invariants 3, 5).",
            Tier.CERTIFIED,
            lambda manifest: manifest.api.network and _writes(manifest),
        ),
        "C15": Clause(
            "Reading of changes outlives every fault at every step and loses nothing (Invariants 1, 7).",
            Tier.CERTIFIED,
            _polls_by_calls,
        ),
        "C16": Clause(
            "A write leaves what it may not write, and a person's edit beside it, as they are (Invariants 4, 9).",
            Tier.CERTIFIED,
            _writes_assets,
        ),
        "C17": Clause("Calls never exceed the account's budget.", Tier.CERTIFIED, _calls),
        "C18": Clause(
            "A webhook that is lost, doubled or late loses and undoes nothing; a forged one is refused.",
            Tier.CERTIFIED,
            _hears,
        ),
    }
)


EVERYWHERE = "C01"
"""The clause that the suite shows of every connector, sandbox or not; nobody waives it."""


def applying(manifest: Manifest) -> tuple[str, ...]:
    """The clauses that speak of this connector, in order."""
    return tuple(name for name, clause in CLAUSES.items() if clause.applies(manifest))


def tier_of(manifest: Manifest, folder: Path) -> Tier:
    """The tier that a connector has reached: every clause up to it is shown, and none of them waived."""
    missing = missing_clauses(manifest, folder)
    reached = Tier.UNTRIED
    for tier in list(Tier)[1:]:
        if any(CLAUSES[name].tier is tier for name in missing):
            break
        reached = tier
    return min(reached, Tier.SCAFFOLDED) if manifest.scaffold else reached


def missing_clauses(manifest: Manifest, folder: Path) -> tuple[str, ...]:
    """Clauses that speak of the connector and are waived, or shown by nothing."""
    if is_tried_here(manifest, folder):
        return tuple(name for name in applying(manifest) if name in manifest.waivers)
    shown = {EVERYWHERE, *(manifest.stand_in.clauses if manifest.stand_in is not None else ())}
    return tuple(name for name in applying(manifest) if name not in shown)


def is_tried_here(manifest: Manifest, folder: Path) -> bool:
    """Whether the suite itself runs over the connector: against its sandbox, or against files.

    What it does not keep there must be waived, or the suite fails; so the waivers tell the tier. Of any other
    connector the tests count that its stand-in names.
    """
    return (folder / "sandbox.py").is_file() or not manifest.api.network
