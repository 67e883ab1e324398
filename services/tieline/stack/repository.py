"""Which Maven repository to ask: the user's mirror if Maven's own settings name one, else Maven Central."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

from jgo.constants import MAVEN_CENTRAL_URL

_MIRRORS_OF_CENTRAL = {"*", "central", "external:*"}


def local_cache() -> Path:
    """The user's Maven cache; it may not exist."""
    return Path(os.environ.get("M2_REPO", str(Path.home() / ".m2" / "repository")))


def remote_base(settings: Path | None = None) -> str:
    """Base address without a closing slash."""
    file = settings or Path.home() / ".m2" / "settings.xml"
    try:
        root = ET.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314  - the user's own file
    except (OSError, ET.ParseError):
        return str(MAVEN_CENTRAL_URL)
    for mirror in root.iterfind(".//{*}mirror"):
        names = {name.strip() for name in (mirror.findtext("{*}mirrorOf") or "").split(",")}
        url = (mirror.findtext("{*}url") or "").strip()
        if names & _MIRRORS_OF_CENTRAL and url:
            return url.rstrip("/")
    return str(MAVEN_CENTRAL_URL)
