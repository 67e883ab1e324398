"""What stops the stack: always one sentence with its remedy."""

from __future__ import annotations

from tieline.kernel.errors import Stop


class StackError(Stop):
    """The stack cannot go on; the message says what a person can do. The command line exits with 1."""
