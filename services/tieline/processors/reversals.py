"""A correction of costs is a reversal: a document of its own that takes an earlier one back to the cent (Invariant 11).

The original is never changed. Original and reversal may come in either order, and the original may be older than the
hub: what is not known is not judged, and is judged when it comes.
"""

from __future__ import annotations

from fractions import Fraction

from tieline.kernel.cost_postings import share_of
from tieline.kernel.cost_records import CostFields, CostLine, CostReport, CostState, ReceiverKind
from tieline.kernel.errors import Rejected

_SAME = ("company", "currency", "cost_centre", "asset_native_id")
_REMEDY = "reverse the whole document once, and enter the right costs as a new one, in its system"


class Reversals:
    """Which accepted document is whose original or reversal; follows the table of cost documents."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], CostState] = {}
        self._reversed_by: dict[tuple[str, str], CostState] = {}

    def follow(self, _key: str, old: CostState | None, new: CostState | None) -> None:
        """See ``Table.on_change``."""
        if old is not None:
            self._documents.pop((old.origin_system, old.origin_native_id), None)
            if old.fields.reversal_of is not None:
                self._reversed_by.pop((old.origin_system, old.fields.reversal_of), None)
        if new is not None:
            self._documents[new.origin_system, new.origin_native_id] = new
            if new.fields.reversal_of is not None:
                self._reversed_by[new.origin_system, new.fields.reversal_of] = new

    def original_of(self, report: CostReport) -> CostState | None:
        """The document that a reversal takes back, if it is known."""
        return self._documents.get((report.origin.system, report.fields.reversal_of or ""))

    def counterpart_of(self, report: CostReport) -> CostState | None:
        """The original of a reversal, or the reversal of a document that comes after it, if it is known."""
        return self.original_of(report) or self._reversed_by.get((report.origin.system, report.origin.native_id))

    def check(self, report: CostReport) -> None:
        """Whether a new document may stand beside those accepted. Raises ``Rejected`` when a reversal is none.

        A reversal names a document that is no reversal and has no other one, and is its negative, line by line, on the
        same company, currency, cost centre and asset. Its date is its own: it lands in an open period.
        """
        fields, system = report.fields, report.origin.system
        known = self._reversed_by.get((system, report.origin.native_id))
        if fields.reversal_of is None:
            if known is not None:
                _check_pair(fields, known.fields)
            return
        if fields.reversal_of == report.origin.native_id or known is not None:
            raise Rejected("a reversal is reversed", field="fields.reversal_of", remedy=_REMEDY)
        other = self._reversed_by.get((system, fields.reversal_of))
        if other is not None:
            raise Rejected(
                f"document {fields.reversal_of} is reversed already, by {other.origin_native_id}",
                field="fields.reversal_of",
                remedy=_REMEDY,
            )
        original = self._documents.get((system, fields.reversal_of))
        if original is None:
            return
        if original.fields.reversal_of is not None:
            raise Rejected("a reversal is reversed", field="fields.reversal_of", remedy=_REMEDY)
        _check_pair(original.fields, fields)


def _check_pair(original: CostFields, reversal: CostFields) -> None:
    for name in _SAME:
        if getattr(original, name) != getattr(reversal, name):
            reason = f"the reversal has {getattr(reversal, name)}, the original {getattr(original, name)}"
            raise Rejected(reason, field=f"fields.{name}", remedy=_REMEDY)
    if sorted(line.amount for line in original.lines) != sorted(-line.amount for line in reversal.lines):
        # With the totals checked against the lines, this is net zero (Invariant 11).
        reason = f"the reversal of {reversal.total} does not take back {original.total} line by line"
        raise Rejected(reason, field="fields.lines", remedy=_REMEDY)
    taken = sorted((-line.amount, _receivers(line, reversal)) for line in reversal.lines)
    if sorted((line.amount, _receivers(line, original)) for line in original.lines) != taken:
        # The same shares give the same minor units, so it is net zero on every receiver too.
        reason = "the reversal does not take back what each receiver bears of each line"
        raise Rejected(reason, field="fields.lines", remedy=f"{_REMEDY}; say the receivers of the original again")


def _receivers(line: CostLine, fields: CostFields) -> list[tuple[str, str, Fraction]]:
    if not line.receivers:
        return [(ReceiverKind.COST_CENTRE.value, fields.cost_centre, Fraction(1))]
    return sorted((receiver.kind.value, receiver.code, share_of(receiver)) for receiver in line.receivers)
