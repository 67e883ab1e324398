"""How the deliveries of one key to one target stand, and what leads from one state to the next (Invariant 6).

           failed                  gave up                 first letter resolved
  FLOWING ────────▶ RETRYING ───────────────▶ PARKED ──────────────────────────▶ DRAINING
     ▲ ▲               │ settled               │  ▲           gave up               │
     │ └───────────────┘                       │  └─────────────────────────────────┤
     └─────────────────────────────────────────┴────────────────────────────────────┘
                                      settled, and nothing waits behind

A row of ``hub.parked.state.v1`` is PARKED or DRAINING; a key without one flows, or is being tried again.
"""

from __future__ import annotations

from enum import StrEnum

from tieline.kernel.memory import KeyState


class KeyEvent(StrEnum):
    """What happened to the first command of a key."""

    FAILED = "failed"  # and may be tried again
    GAVE_UP = "gave up"  # its letter is written
    RESOLVED = "resolved"  # and others wait behind it
    SETTLED = "settled"  # and nothing waits behind it


def state_after(state: KeyState, event: KeyEvent) -> KeyState:
    """The state that follows. Raises ``ValueError`` for what cannot happen: nothing waits behind a key that flows."""
    match event:
        case KeyEvent.SETTLED:
            return KeyState.FLOWING
        case KeyEvent.GAVE_UP:
            return KeyState.PARKED
        case KeyEvent.RESOLVED if state in {KeyState.PARKED, KeyState.DRAINING}:
            return KeyState.DRAINING
        case KeyEvent.FAILED:
            return KeyState.RETRYING if state in {KeyState.FLOWING, KeyState.RETRYING} else state
    raise ValueError(f"a key that is {state} has nothing behind it that could follow")
