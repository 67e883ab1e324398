"""A copy of the demo's landscape to read and to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tieline.kernel.landscape import load_landscape
from tieline.stack.credentials import ensure
from tieline.stack.estate import estate_of

DEMO = Path(__file__).parents[3] / "deploy" / "local"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A copy of the demo's landscape with the files it names."""
    folder = tmp_path / "deploy" / "local"
    folder.mkdir(parents=True)
    for name in ("landscape.yaml", "unio24.profile.yaml"):
        shutil.copy(DEMO / name, folder)
    path = folder / "landscape.yaml"
    ensure(tmp_path / ".tieline" / "secrets", estate_of(load_landscape(path)).secret_names())
    return path
