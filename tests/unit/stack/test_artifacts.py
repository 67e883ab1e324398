"""The lock of foreign programs."""

from __future__ import annotations

import re

from tieline.stack.artifacts import KAFKA_VERSION, bundles


def test_every_file_has_a_size_and_a_hash() -> None:
    for bundle in bundles().values():
        assert bundle.artifacts
        for artifact in bundle.artifacts:
            assert artifact.size_bytes > 0
            assert re.fullmatch("[0-9a-f]{64}", artifact.sha256)


def test_kafka_comes_with_its_own_client_and_nothing_twice() -> None:
    names = [artifact.file_name for artifact in bundles()["kafka"].artifacts]
    assert f"kafka-clients-{KAFKA_VERSION}.jar" in names
    stems = [re.sub(r"-\d.*", "", name) for name in names]
    assert len(stems) == len(set(stems))


def test_paths_name_no_host() -> None:
    for bundle in bundles().values():
        assert all(re.match(r"[a-z-]+/", artifact.path) for artifact in bundle.artifacts)
