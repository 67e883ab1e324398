"""What reference data decide of an asset report: a move to another cost centre, to another company, a custodian (T19).

Asked is the record that holds on the report's own day. A value that cannot be is not taken over and becomes a conflict
with its remedy; the rest of the report counts. What waits for a locked cost centre is held, like what waits for a
period. The ERP's own word on company and cost centre is not asked about: it is in its books already.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tieline.kernel.asset_records import AssetFields, AssetReport, AssetState
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.ownership import ERP, Ownership, expects_asset
from tieline.kernel.reference_records import CENTRE, EMPLOYEE, ReferenceFields, ReferenceState, ReferenceStatus
from tieline.processors.fiscal_periods import Waits
from tieline.processors.merging import Merged
from tieline.processors.references import References

COMPANY, COST_CENTRE, CUSTODIAN = "company", "cost_centre", "custodian"
# Asset field and the family of the records behind its codes.
DECIDED_BY: Mapping[str, str] = {COST_CENTRE: CENTRE, CUSTODIAN: EMPLOYEE}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a value is not taken over, what a person can do, and whose word stands.

    ``again``: another word on the reference record may let the value pass.
    """

    owner: str
    reason: str
    remedy: str
    again: bool = True


Refusals = Mapping[str, Refusal]


class Proposals:
    """Judges asset reports by the reference records."""

    def __init__(self, landscape: Landscape, references: References) -> None:
        self._settings = landscape.references
        self._default_company = landscape.fiscal.default_company
        self._erps = landscape.having_role(ERP)
        self._references = references

    def judge(
        self, state: AssetState | None, report: AssetReport, merged: Merged, role: str, ownership: Ownership
    ) -> Refusals | Waits:
        """Which of the report's changes cannot be, by field; or what the report has to wait for."""
        day = report.origin.recorded_at.date()
        rules = ownership.effective(merged.fields.company, day).rules
        refused = self._crossing(state, report, merged) if rules[COMPANY].owner != role else {}
        if CUSTODIAN in merged.changed and (reason := self._custodian(merged.fields.custodian, day)):
            refused[CUSTODIAN] = reason
        if COST_CENTRE in merged.changed and COST_CENTRE not in refused and rules[COST_CENTRE].owner != role:
            centre = self._centre(state, merged, day)
            if isinstance(centre, Waits):
                return centre
            if centre is not None:
                refused[COST_CENTRE] = centre
        return refused

    def _crossing(self, state: AssetState | None, report: AssetReport, merged: Merged) -> dict[str, Refusal]:
        """No move takes a fixed asset to another company: it leaves the one and is acquired by the other (T19)."""
        here, there = state.fields.company if state else None, report.fields.company
        if state is None or here is None or COMPANY not in {*merged.changed, *merged.refused}:
            return {}
        if not self._is_in_books(state):
            return {}  # nothing is booked yet: another company is a correction
        refusal = Refusal(
            state.said_by.get(COMPANY, ERP),
            f"a move from company {here} to {there} is no change of a field",
            f"retire the asset in {here} and acquire it in {there}, in the ERP; the record there becomes another asset",
            again=False,
        )
        # The centre it goes to is the other company's.
        return {name: refusal for name in (COMPANY, COST_CENTRE) if name == COMPANY or name in merged.changed}

    def _is_in_books(self, state: AssetState) -> bool:
        return any(erp in state.links for erp in self._erps) or expects_asset(state, ERP)

    def _centre(self, state: AssetState | None, merged: Merged, day: dt.date) -> Refusal | Waits | None:
        before, code = state.fields.cost_centre if state else None, merged.fields.cost_centre or ""
        company = merged.fields.company or self._default_company
        owner, known = self._references.owner_of(CENTRE), self._references.find(CENTRE, company, code)
        name = f"cost centre {code} of {company}" if company else f"cost centre {code}"
        if known is None and self._settings.cost_centre == "optional":
            return None
        found = known.on(day) if known else None
        if found is None or found.status is ReferenceStatus.CLOSED:
            how = "closed" if found else f"not known on {day}" if known else "not known"
            return Refusal(owner, f"{name} is {how}", f"name another one, or open it in {owner} for that day")
        if before is not None and (_moves_balances(found) or _moves_balances(self._on(company, before, day))):
            return Refusal(
                owner,
                f"the change from {before} to {code} moves balance sheet items",
                f"a person posts the transfer and enters the centre in {owner}",
            )
        if found.status is not ReferenceStatus.ACTIVE:
            how = "locked" if found.status is ReferenceStatus.LOCKED else "of a status the hub does not know"
            return Waits(f"{name} is {how}", day)
        return None

    def _on(self, company: str | None, code: str, day: dt.date) -> ReferenceFields | None:
        known = self._references.find(CENTRE, company, code)
        return known.on(day) if known else None

    def _custodian(self, code: str | None, day: dt.date) -> Refusal | None:
        if self._settings.employee == "optional" or not code:
            return None
        known = self._references.anywhere(EMPLOYEE, code)
        if any(is_active(state, day) for state in known):
            return None
        owner = self._references.owner_of(EMPLOYEE)
        reason = f"the custodian is {'not active' if known else 'no known employee'} on {day}"
        return Refusal(owner, reason, f"put somebody else in charge, or enter the employee in {owner}")


def is_active(employee: ReferenceState, day: dt.date) -> bool:
    """Whether the employee is here on that day."""
    found = employee.on(day)
    return found is not None and found.status is ReferenceStatus.ACTIVE


def without(report: AssetReport, refusals: Refusals) -> AssetReport:
    """The report as if it did not speak of what was refused."""
    return report.model_copy(update={"fields": report.fields.model_copy(update=dict.fromkeys(refusals))})


def refuse(merged: Merged, refusals: Refusals) -> Merged:
    """The refusals among those of the ownership matrix."""
    owners = {field: refusal.owner for field, refusal in refusals.items()}
    return replace(merged, refused={**merged.refused, **owners})


def explain(report: AssetReport, field: str, refusal: Refusal | None) -> dict[str, object]:
    """What a conflict says beside the two values; nothing for a plain foreign edit."""
    if refusal is None:
        return {}
    fields = AssetFields().model_copy(update={field: getattr(report.fields, field)})
    again = AssetReport(origin=report.origin, fields=fields) if refusal.again else None
    return {"reason": refusal.reason, "remedy": refusal.remedy, "proposal": again}


class Refused:
    """Refused proposals by the code they failed on; follows the table of conflicts."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, Conflict]] = {}

    def follow(self, key: str, old: Conflict | None, new: Conflict | None) -> None:
        """See ``Table.on_change``."""
        for row in (old, new):
            if row is None or row.proposal is None:
                continue
            place = (DECIDED_BY.get(row.field, ""), row.foreign_value or "")
            if row is new:
                self._rows.setdefault(place, {})[key] = row
            else:
                self._rows.get(place, {}).pop(key, None)

    def of(self, family: str, code: str) -> list[tuple[str, AssetReport]]:
        """Asset id and what was refused, the longest known first."""
        rows = sorted(self._rows.get((family, code), {}).items(), key=lambda item: (item[1].detected_at, item[0]))
        return [(row.canonical_id, row.proposal) for _, row in rows if row.proposal is not None]


def _moves_balances(centre: ReferenceFields | None) -> bool:
    return centre is not None and bool(centre.balance_sheet_relevant)
