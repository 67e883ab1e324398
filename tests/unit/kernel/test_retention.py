"""What waits in a topic is compared with how long the topic keeps it."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.unit.kernel.test_alerts import rules

from tieline.kernel.declarations import load_topics
from tieline.kernel.retention import LEAST_SHARE_LEFT, first_expiry, retention_secs

NOW = dt.datetime(2026, 5, 8, 12, tzinfo=dt.UTC)
WEEK_SECS = 7 * 86_400.0


def days_ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


@pytest.mark.parametrize(
    ("configs", "secs"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "604800000"}, WEEK_SECS),
        ({"retention.ms": "1000"}, 1.0),
        ({"cleanup.policy": "compact,delete", "retention.ms": "1000"}, 1.0),
        ({"cleanup.policy": "compact", "retention.ms": "1000"}, None),
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, None),
    ],
)
def test_retention_is_read_from_the_topics_settings(configs: dict[str, str], secs: float | None) -> None:
    assert retention_secs(configs) == secs


def test_what_is_lost_first_is_what_has_the_least_share_of_its_retention_left() -> None:
    waiting = [(days_ago(6), 10 * WEEK_SECS), (days_ago(4), WEEK_SECS), (days_ago(1), WEEK_SECS), (days_ago(90), None)]
    found = first_expiry(waiting, NOW)
    assert found is not None
    assert found.at == NOW + dt.timedelta(days=3)
    assert found.share_left == pytest.approx(3 / 7)
    assert first_expiry([(days_ago(90), None)], NOW) is None
    assert first_expiry([], NOW) is None


@pytest.mark.parametrize(("days", "near"), [(0, False), (5.24, False), (5.26, True), (6.99, True), (9, True)])
def test_a_person_must_know_when_less_than_a_quarter_is_left(days: float, *, near: bool) -> None:
    expiry = first_expiry([(days_ago(days), WEEK_SECS)], NOW)
    assert expiry is not None
    assert expiry.is_near is near
    assert expiry.share_left >= 0.0


def test_the_alert_rule_and_the_status_speak_of_the_same_share() -> None:
    rule = next(rule for rule in rules() if rule["alert"] == "TielineCommandsExpire")
    assert f"{1 - LEAST_SHARE_LEFT} * tieline_command_retention_seconds" in rule["expr"]


def test_every_topic_of_commands_has_a_retention_that_can_be_watched() -> None:
    found = {template.name: template.spec.configs for template in load_topics() if template.klass == "command"}
    assert found
    assert all(retention_secs(configs) for configs in found.values())
