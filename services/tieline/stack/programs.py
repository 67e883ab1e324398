"""Running Tieline's own commands on this machine, against a local stack."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tieline.stack.errors import StackError

# The program of this very installation, whatever PATH says.
TIELINE = (str(Path(sys.executable).with_name("tieline")),)


@dataclass(frozen=True, slots=True)
class Tieline:
    """The ``tieline`` program with what it must know of a stack. ``program`` is its command line's beginning."""

    checkout: Path
    landscape: Path
    secrets: Path
    program: Sequence[str] = TIELINE

    def environment(self) -> dict[str, str]:
        """Variables that every command and process of Tieline gets."""
        return {
            "TIELINE_LANDSCAPE": str(self.landscape),
            "TIELINE_SECRETS_DIR": str(self.secrets),
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, *arguments: str, timeout_secs: float = 120, capture: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command to its end in the checkout; the caller looks at its exit code.

        Its output is kept, or with ``capture`` false shown as it comes. Raises ``StackError`` when it takes too long.
        """
        try:
            return subprocess.run(
                [*self.program, *arguments],
                cwd=self.checkout,
                env=os.environ | self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=capture,
                text=True,
                timeout=timeout_secs,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StackError(f"`tieline {' '.join(arguments)}` did not end within {timeout_secs:.0f} s.") from error
