"""The states of a key and what leads from one to the next, every pair."""

from __future__ import annotations

import pytest

from tieline.kernel.key_states import KeyEvent, state_after
from tieline.kernel.memory import KeyState

FLOWING, RETRYING, PARKED, DRAINING = KeyState.FLOWING, KeyState.RETRYING, KeyState.PARKED, KeyState.DRAINING


@pytest.mark.parametrize(
    ("state", "failed", "gave_up", "resolved", "settled"),
    [
        (FLOWING, RETRYING, PARKED, None, FLOWING),
        (RETRYING, RETRYING, PARKED, None, FLOWING),
        (PARKED, PARKED, PARKED, DRAINING, FLOWING),
        (DRAINING, DRAINING, PARKED, DRAINING, FLOWING),
    ],
)
def test_every_state_has_its_next(
    state: KeyState, failed: KeyState, gave_up: KeyState, resolved: KeyState | None, settled: KeyState
) -> None:
    assert state_after(state, KeyEvent.FAILED) is failed
    assert state_after(state, KeyEvent.GAVE_UP) is gave_up
    assert state_after(state, KeyEvent.SETTLED) is settled
    if resolved is None:
        with pytest.raises(ValueError, match="nothing behind it"):
            state_after(state, KeyEvent.RESOLVED)
    else:
        assert state_after(state, KeyEvent.RESOLVED) is resolved
