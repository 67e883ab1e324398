"""What the life of an asset says of a conflict."""

from __future__ import annotations

import datetime as dt

from tieline.kernel.memory import Conflict
from tieline.operating.life import tell_finding

FOREIGN = Conflict(
    canonical_id="a1",
    field="cost_centre",
    owner="tryton",
    system="unio24",
    owned_value="CC1",
    foreign_value="CC2",
    detected_at=dt.datetime(2026, 11, 10, tzinfo=dt.UTC),
)


def test_a_foreign_edit_names_both_values() -> None:
    assert tell_finding(FOREIGN) == "cost_centre: says 'CC2', tryton owns it and says 'CC1'"


def test_a_refused_value_comes_with_its_reason_and_remedy() -> None:
    refused = FOREIGN.model_copy(update={"reason": "CC2 is closed", "remedy": "name another one"})
    assert tell_finding(refused).endswith("says 'CC1': CC2 is closed (name another one)")
