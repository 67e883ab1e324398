"""Reference records with their canonical codes: they need no id of the hub's. Pure."""

from __future__ import annotations

import datetime as dt

from tieline.kernel.code_lists import CodeLists, codes_of
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reference_records import FAMILIES, ReferenceFields, ReferenceReport
from tieline.kernel.topic_names import IDENTIFIED
from tieline.processors.linking import identified


def identify_reference(record: Inbound, report: ReferenceReport, lists: CodeLists) -> Outbound:
    """The report with canonical codes, keyed family/system/native id.

    A record's own order counts (Invariant 2), through a change of its code and to its deletion. Raises ``Rejected`` for
    a code that its system's list does not have.
    """
    canonical, origin = canonical_reference(report, lists), report.origin
    key = f"{origin.entity}/{origin.system}/{origin.native_id}"
    return Outbound(IDENTIFIED, key, Typed("ReferenceReport", canonical), identified(record, key, None).headers)


def canonical_reference(report: ReferenceReport, lists: CodeLists) -> ReferenceReport:
    """The report with the codes of the landscape's list for its family; as it is where the system has none."""
    listed = FAMILIES[report.origin.entity]
    if listed is None:
        return report
    codes, fields = codes_of(lists, report.origin.system), report.fields
    day = _day_of(fields, report.origin.recorded_at.date())
    update = {
        name: codes.canonical(listed, value, day, place=f"fields.{name}")
        for name, value in (("code", fields.code), ("parent", fields.parent))
        if value
    }
    return report.model_copy(update={"fields": fields.model_copy(update=update)})


def _day_of(fields: ReferenceFields, recorded_on: dt.date) -> dt.date:
    """A day on which the record holds: that on which it was recorded, or the nearest to it."""
    latest = min(recorded_on, fields.valid_to or dt.date.max)
    return max(latest, fields.valid_from or dt.date.min)
