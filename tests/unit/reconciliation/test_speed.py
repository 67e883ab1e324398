"""Fifty thousand assets in two systems compare in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tieline.reconciliation.compare import compare

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate


def test_fifty_thousand_assets_compare_in_seconds(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(50_000)
    estate.edit("unio24", 49_999, cost_centre="CC-X")
    evidence = estate.evidence()
    began = time.process_time()
    comparison = compare(evidence, estate.scope)
    spent_secs = time.process_time() - began
    assert len(comparison.findings) == 1
    assert comparison.compared == 160_000
    assert spent_secs < 15  # about 5 s of one core; the margin is for slow machines
