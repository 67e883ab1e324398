"""A short run on real processes and a real cluster; ``make chaos`` runs long ones (docs/reports/chaos.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.run import Size, run_once

from tieline.stack.parts import RegistryPart

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SMALL = Size(events=300, kills=10, freezes=1, bounces=1, spoils=2, storms=1, usurpers=1)


def test_nothing_is_lost_doubled_or_out_of_order_whatever_dies(tmp_path: Path, registry_part: RegistryPart) -> None:
    result = run_once(tmp_path, registry_part.url, SMALL, seed=1)
    assert result.faults == []
    assert result.events == SMALL.events
    assert sum(result.kills.values()) >= SMALL.kills, "a quiet run proves nothing"
    assert sum(result.freezes.values()) == SMALL.freezes
