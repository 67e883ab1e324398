"""Writes ``artifacts.lock.json``: resolves Kafka's jars as Maven would, and hashes every file."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from jgo.maven import Artifact as MavenArtifact
from jgo.maven import MavenContext

from tieline.stack.artifacts import KAFKA_VERSION, LOCK_NAME, REGISTRY_VERSION

KAFKA_ROOTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Without a binding Kafka logs nothing.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)


def write_lock() -> Path:
    """Resolve, download and hash everything (about 220 MB); returns the lock file's path."""
    with tempfile.TemporaryDirectory(prefix="tieline-lock-") as cache:
        context = MavenContext(repo_cache=Path(cache), timeout=120)
        registry = context.project("io.apicurio", "apicurio-registry-app").at_version(REGISTRY_VERSION)
        document = {
            "kafka": {
                "name": f"kafka-{KAFKA_VERSION}",
                "archive": False,
                "artifacts": [_entry(artifact) for artifact in _kafka(context)],
            },
            "registry": {
                "name": f"apicurio-registry-{REGISTRY_VERSION}",
                "archive": True,
                "artifacts": [_entry(registry.artifact(classifier="all", packaging="tar.gz"))],
            },
        }
    target = Path(__file__).with_name(LOCK_NAME)
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return target


def _kafka(context: MavenContext) -> list[MavenArtifact]:
    roots = [context.create_dependency(coordinate) for coordinate in KAFKA_ROOTS]
    for root in roots:
        # Else jgo lets log4j's own dependencyManagement choose Kafka's versions (kafka-clients 3.8 among them).
        root.raw = True
    inputs, transitive = context.resolver.resolve(roots)
    artifacts = [dependency.artifact for dependency in (*inputs, *transitive)]
    return sorted(artifacts, key=lambda artifact: str(artifact.filename))


def _entry(artifact: MavenArtifact) -> dict[str, object]:
    file = Path(artifact.resolve())
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    path = f"{artifact.component.path_prefix}/{artifact.filename}"
    return {"path": path, "size_bytes": file.stat().st_size, "sha256": digest}
