"""The Maven repository: the user's mirror wins."""

from __future__ import annotations

from pathlib import Path

import pytest
from jgo.constants import MAVEN_CENTRAL_URL

from tieline.stack.repository import remote_base

SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors><mirror>
<id>m</id><mirrorOf>{of}</mirrorOf><url>https://maven.example.com/central/</url></mirror></mirrors></settings>"""


@pytest.mark.parametrize("of", ["*", "central", "external:*", "other, central"])
def test_a_mirror_of_central_is_used(tmp_path: Path, of: str) -> None:
    file = tmp_path / "settings.xml"
    file.write_text(SETTINGS.format(of=of), encoding="utf-8")
    assert remote_base(file) == "https://maven.example.com/central"


@pytest.mark.parametrize("text", [SETTINGS.format(of="other"), "<settings/>", "not xml"])
def test_else_maven_central(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.xml"
    file.write_text(text, encoding="utf-8")
    assert remote_base(file) == MAVEN_CENTRAL_URL
    assert remote_base(tmp_path / "missing.xml") == MAVEN_CENTRAL_URL
