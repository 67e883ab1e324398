"""Copies are forked from a process that has imported the product: started, ended and killed as if each began anew."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.chaos.nursery import Nursery
from tests.chaos.points import FILE

ROOT = Path(__file__).parents[2]


def test_copies_run_the_product_s_command_each_with_its_own_log_and_end(tmp_path: Path) -> None:
    environment = {FILE: str(tmp_path / "points")}
    nursery = Nursery({}, ROOT)
    try:
        fine = nursery.start(["run", "--help"], environment, tmp_path / "fine.log")
        faulty = nursery.start(["run", "identify", "--landscape", "none.yaml"], environment, tmp_path / "faulty.log")
        killed = nursery.start(["run", "--help"], environment, tmp_path / "killed.log")
        killed.kill()
        assert fine.wait() == 0
        assert "Run one process of the hub" in (tmp_path / "fine.log").read_text(encoding="utf-8")
        assert faulty.wait() > 0
        assert "none.yaml" in (tmp_path / "faulty.log").read_text(encoding="utf-8")
        assert killed.wait() == -signal.SIGKILL
        killed.kill()  # of who has ended, nothing comes
        assert len({fine.pid, faulty.pid, killed.pid}) == 3
        late = nursery.start(["run", "--help"], environment, tmp_path / "late.log")
    finally:
        nursery.close()
    assert late.wait() in (0, -signal.SIGKILL)
