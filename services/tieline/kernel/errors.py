"""Errors, named by what the caller does next.

TielineError
├── Retryable      try the same thing again, later (``retry_after_secs`` when the other side said so)
├── Unavailable    the whole target is out: pause it, dead-letter nothing (Invariant 7)
├── OutcomeUnknown the call may have taken effect: read back before anything is sent again (Invariant 5)
├── Rejected       this record cannot succeed as it is: dead-letter it, go on with the others
└── Stop           the process must not go on: say why and exit non-zero
"""

from __future__ import annotations


class TielineError(Exception):
    """The root; never raised itself."""


class Retryable(TielineError):
    """The same attempt may succeed later; nothing took effect."""

    def __init__(self, message: str, *, retry_after_secs: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_secs = retry_after_secs


class Unavailable(TielineError):
    """The target as a whole does not answer; no record is to blame and none took effect."""

    def __init__(self, message: str, *, retry_after_secs: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_secs = retry_after_secs


class OutcomeUnknown(TielineError):
    """A request was sent and no trustworthy answer came back: it may or may not have taken effect."""


class Rejected(TielineError):
    """This record is at fault. ``field`` is the path of the offending value, ``remedy`` what a person can do.

    ``held_digest`` is the hash of what a target holds after all, where it kept less than it was sent: its report of it
    is our own echo, not its word (Invariant 8).
    """

    def __init__(
        self, reason: str, *, field: str | None = None, remedy: str | None = None, held_digest: str | None = None
    ) -> None:
        super().__init__(reason)
        self.held_digest = held_digest
        self.reason = reason
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.reason}{remedy}"


class Quarantined(Rejected):
    """This record ends the process that handles it: it becomes a dead letter as it is, and nobody decodes it."""


class Stop(TielineError):
    """Going on would lose or corrupt something; a person must act. The message says what to do.

    ``trouble`` is the name of what ended it (troubles.py), where that is more than that it ended.
    """

    def __init__(self, message: str, *, trouble: str | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
