"""Whether the cost of work is an expense or a part of the asset's cost, by the rules of the landscape (T31). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.kernel.cost_records import CostFields, CostTreatment
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import RepairThreshold


@dataclass(frozen=True, slots=True)
class CostChoice:
    """The treatment; the reason only where somebody wanted the cost capitalised."""

    treatment: CostTreatment
    reason: str | None


def check_treatment(fields: CostFields) -> None:
    """Raises ``Rejected`` for a treatment the hub does not know, and for a longer life without a higher cost."""
    if fields.treatment is CostTreatment.UNKNOWN:
        raise Rejected(
            "a treatment this hub does not know", field="fields.treatment", remedy="update the hub, then replay"
        )
    periods = fields.extends_life_periods
    if periods is None:
        return
    if fields.treatment is not CostTreatment.CAPITALISE or periods <= 0:
        raise Rejected(
            f"a life longer by {periods} periods, of what is {fields.treatment or CostTreatment.EXPENSE}",
            field="fields.extends_life_periods",
            remedy="say a number above 0, and that the cost is to be capitalised; or leave it out",
        )


def choose_cost_treatment(fields: CostFields, thresholds: Sequence[RepairThreshold]) -> CostChoice:
    """Capital is what somebody said is, and what reaches the threshold of its currency; all else is an expense.

    Without any threshold the word alone decides. The whole document is compared; of a reversal, what it takes back.
    Raises ``Rejected`` where there are thresholds, but none in the document's currency: nothing is converted.
    """
    if fields.treatment is not CostTreatment.CAPITALISE:
        return CostChoice(CostTreatment.EXPENSE, None)
    amount = -fields.total if fields.reversal_of is not None else fields.total
    if amount <= 0:
        return CostChoice(CostTreatment.EXPENSE, f"{amount} {fields.currency} adds nothing to an asset")
    if not thresholds:
        return CostChoice(CostTreatment.CAPITALISE, "no threshold")
    found = next((rule for rule in thresholds if rule.currency == fields.currency), None)
    if found is None:
        raise Rejected(
            f"there is no threshold in {fields.currency} from which a repair is capitalised",
            field="fields.currency",
            remedy="add one under capitalisation.repairs in the landscape, start again, then replay",
        )
    limit = f"{found.threshold} {found.currency}"
    if amount > found.threshold or (amount == found.threshold and found.at_limit == "included"):
        return CostChoice(CostTreatment.CAPITALISE, f"reaches the threshold of {limit}")
    return CostChoice(CostTreatment.EXPENSE, f"{amount} {fields.currency} does not reach the threshold of {limit}")
