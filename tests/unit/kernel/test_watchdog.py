"""A process that stands still ends and says where; one that goes on does not."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import time
from tieline.kernel.watchdog import Watchdog

with Watchdog(still_secs=0.3) as watchdog:
    for _ in range(8):
        time.sleep(0.1)
        watchdog.feed()
    print("went on", flush=True)
    {then}
print("came to its end", flush=True)
"""


def run(then: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(then=then)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_process_that_stands_still_ends_and_says_where() -> None:
    ended = run("time.sleep(30)  # stands still")
    assert ended.returncode == 1
    assert ended.stdout == "went on\n"
    assert "Timeout" in ended.stderr
    assert "line 10" in ended.stderr


def test_a_process_that_goes_on_is_left_alone() -> None:
    ended = run("pass\ntime.sleep(0.6)")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "went on\ncame to its end\n"
