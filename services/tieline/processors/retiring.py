"""A thing that left stays gone until somebody later says otherwise (T22, T23). Pure.

Reports may arrive in another order than their systems recorded them. What was recorded before a disposal does not
bring the thing back, however late it comes; what was recorded after it may. Only the source's own time decides.
"""

from __future__ import annotations

import datetime as dt

from tieline.kernel.asset_records import AssetReport, AssetState, FinancialStatus, PhysicalStatus

DISPOSAL = ("disposal_date", "disposal_kind")
STATUS = ("physical_status", "financial_status")
# A closed book is not in it: what is fully depreciated may be in use for years.
_LEAVING = ("physical_status", *DISPOSAL)


def says_gone(name: str, value: object) -> bool:
    """Whether a field's value means that the thing left."""
    if name in DISPOSAL:
        return value is not None
    return value in {PhysicalStatus.RETIRED, FinancialStatus.CLOSED}


def outdated_by(
    state: AssetState | None, name: str, said: object, speaker: str, recorded_at: dt.datetime
) -> str | None:
    """The system whose later word a status is too old for (Invariant 4), which may be the speaker; None if it is not.

    A speaker's own older word never replaces its later one, nor does anybody's bring back a disposal that was taken
    back later. A physical status from before the disposal is too old whoever disposed of it; the ledger's own status
    is measured by the ledger's own words, because the books run on until they are closed there.
    """
    if state is None or name not in {*STATUS, *DISPOSAL}:
        return None
    known_at, author = state.said_at.get(name), state.said_by.get(name)
    if known_at is not None and recorded_at < known_at and (author == speaker or getattr(state.fields, name) is None):
        return author
    if says_gone(name, said):
        return None
    marks = [
        (state.said_at[mark], state.said_by.get(mark))
        for mark in _LEAVING
        if mark in state.said_at and says_gone(mark, getattr(state.fields, mark))
    ]
    if name == "financial_status":
        marks = [mark for mark in marks if mark[1] == speaker]
    left_at, system = min(marks, default=(recorded_at, None), key=lambda mark: mark[0])
    return system if recorded_at < left_at else None


def is_reinstated(state: AssetState | None, update: dict[str, object], report: AssetReport, speaker: str) -> bool:
    """Whether the one that disposed of the asset takes it back: its closing status ends, with no other disposal.

    A disposal date alone that is no longer said is no reinstatement: None in a report is "not said".
    """
    if state is None or state.fields.disposal_date is None or state.said_by.get("disposal_date") != speaker:
        return False
    if any(getattr(report.fields, name) is not None for name in DISPOSAL):
        return False
    return any(
        name in update and says_gone(name, getattr(state.fields, name)) and not says_gone(name, update[name])
        for name in STATUS
    )


def repeats_a_disposal_taken_back(state: AssetState | None, name: str, speaker: str, update: dict[str, object]) -> bool:
    """Whether another system still tells of a disposal that was taken back; a new one comes with a RETIRED thing."""
    if state is None or name not in DISPOSAL or name not in state.said_at or getattr(state.fields, name) is not None:
        return False
    return state.said_by.get(name) != speaker and update.get("physical_status") is not PhysicalStatus.RETIRED
