from __future__ import annotations

from pathlib import Path

import pytest

from tieline.catalogue.inputs import Inputs, read_inputs

LANDSCAPE = Path(__file__).parents[3] / "deploy" / "local" / "landscape.yaml"


@pytest.fixture(scope="session")
def inputs() -> Inputs:
    return read_inputs(LANDSCAPE)
