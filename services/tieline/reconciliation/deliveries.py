"""Why a system's value differs, by the ledger: an older version that stayed, or a foreign edit."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from tieline.kernel.digests import digest_fields
from tieline.kernel.memory import DriftKind, LedgerEntry, Stage
from tieline.reconciliation.findings import Remedy


@dataclass(frozen=True, slots=True)
class Verdict:
    """Kind, cause and remedy of one differing value."""

    kind: DriftKind
    cause: str
    remedy: Remedy


MISSED = Verdict(DriftKind.STALE, "the hub missed this system's own change", Remedy.RE_READ)


def is_touched(entry: LedgerEntry, held: BaseModel) -> bool:
    """Whether the record is known to be another than the one the target returned after our last write."""
    return entry.digest is not None and entry.digest != digest_fields(held)


def was_delivered(entry: LedgerEntry | None) -> bool:
    """Whether the target is known to have held the record at some time."""
    return entry is not None and (entry.stage is Stage.CONFIRMED or entry.applied_version > 0)


def judge(entry: LedgerEntry | None, version: int, held: BaseModel, *, foreign_edit_seen: bool) -> Verdict:
    """The verdict on a value that the hub decides and the system holds otherwise.

    STALE: the system still holds what an older version said. MISMATCH: somebody else changed it, or it never came.
    """
    if foreign_edit_seen:
        return Verdict(DriftKind.MISMATCH, "foreign edit", Remedy.WRITE)
    if entry is None:
        return Verdict(DriftKind.MISMATCH, "never delivered", Remedy.WRITE)
    untouched = entry.digest is not None and not is_touched(entry, held)
    if entry.applied_version >= version:
        if untouched:
            # Writing again would end the same way: the target trims or rounds what it is given.
            return Verdict(DriftKind.MISMATCH, "the target keeps what it was sent in another form", Remedy.PERSON)
        return Verdict(DriftKind.MISMATCH, "foreign edit", Remedy.WRITE)
    cause = f"holds version {entry.applied_version}, the hub has {version}"
    if entry.stage in {Stage.REJECTED, Stage.UNKNOWN}:
        cause = f"{cause}; it was rejected: {entry.reason or 'no reason given'}"
    return Verdict(DriftKind.STALE, cause, Remedy.WRITE)


def judge_absence(entry: LedgerEntry | None, *, linked: bool) -> str:
    """The cause of a record that is not there, after a complete read."""
    if linked:
        return "its record is gone"
    if entry is None:
        return "not delivered"
    if entry.stage in {Stage.REJECTED, Stage.UNKNOWN}:
        return f"not delivered: rejected, {entry.reason or 'no reason given'}"
    return "confirmed by the target, not there now"
