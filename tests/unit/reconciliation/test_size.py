"""One difference among ten thousand assets is found, and the size changes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tieline.reconciliation.compare import compare

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate


def test_one_difference_among_ten_thousand_assets_is_found(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(10_000)
    estate.edit("unio24", 9_999, cost_centre="CC-X")
    comparison = compare(estate.evidence(), estate.scope)
    [finding] = comparison.findings
    assert finding.drift.field == "cost_centre"
    assert comparison.compared == 32_000
