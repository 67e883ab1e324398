"""Fault scripts: read whole or refused by place; their rules strike by number, by dice and for a time, repeatably."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Age, Faults, Rule, Sight
from tieline.connectors.kit.sandboxing.kinds import KEYS, KINDS, playable, reference
from tieline.connectors.kit.sandboxing.script import load_script, read_script
from tieline.kernel.errors import Rejected, Stop

ALL = frozenset(KINDS)
POST = Sight("POST", "/assets")
DOCUMENT = Path(__file__).parents[4] / "docs" / "sandboxes.md"


def rule(**keys: object) -> Rule:
    [found] = read_script([{"kind": "error_503", **keys}], ALL)
    return found


def struck(faults: Faults, calls: int, sight: Sight = POST) -> list[int]:
    """Which of so many calls, counted from 1, are struck."""
    return [number for number in range(1, calls + 1) if faults.strike(sight, "request") is not None]


@pytest.mark.parametrize(
    ("script", "place", "reason"),
    [
        ("slow", "faults", "a list of at most 1000 rules is wanted"),
        ([{"kind": "slow"}] * 1001, "faults", "a list of at most 1000 rules is wanted"),
        ({"faults": [], "sede": 1}, "sede", "is no key of a script"),
        ({"faults": [], "seed": -1}, "seed", "whole number of at least 0"),
        ({"faults": [{"kind": "slow"}, {}]}, "faults.1.kind", "is required"),
        ([{"kind": "slwo"}], "0.kind", "did you mean slow"),
        ([{"kind": "slow", "secs": 1}], "0.secs", "is no key of a rule"),
        ([{"kind": "slow", "methd": "GET"}], "0.methd", "did you mean method"),
        ([{"kind": "slow", "path": "("}], "0.path", "is no regular expression"),
        ([{"kind": "slow", "body": 3}], "0.body", "must be a regular expression"),
        ([{"kind": "slow", "count": 0}], "0.count", "of at least 1"),
        ([{"kind": "slow", "count": True}], "0.count", "of at least 1"),
        ([{"kind": "slow", "nth": 1.5}], "0.nth", "of at least 1"),
        ([{"kind": "slow", "probability": 1.5}], "0.probability", "from 0 to 1"),
        ([{"kind": "slow", "seconds": float("nan")}], "0.seconds", "from 0 to 86400"),
        ([{"kind": "slow", "seconds": "30"}], "0.seconds", "from 0 to 86400"),
        ([{"kind": "error_429", "retry_after": "1\r\nX: y"}], "0.retry_after", "must be a number"),
        ([{"kind": "error_429", "retry_after_form": "days"}], "0.retry_after_form", "must be seconds or date"),
        ([{"kind": "answer", "status": 99}], "0.status", "from 200 to 599"),
        ([{"kind": "answer", "headers": {"X-A": "1\n2"}}], "0.headers.X-A", "is no header"),
        ([{"kind": "answer", "text": {}}], "0.text", "must be text"),
        ([{"kind": "stale_read", "changes_old": 1, "seconds_old": 1}], "0.seconds_old", "either"),
        (["slow"], "0", "a rule is an object"),
    ],
)
def test_what_is_wrong_is_refused_by_its_place(script: object, place: str, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        read_script(script, ALL)
    assert refused.value.field == place
    assert reason in str(refused.value)


def test_a_kind_that_the_sandbox_cannot_play_is_refused_with_what_it_needs() -> None:
    with pytest.raises(Rejected, match=r"0\.kind: cannot be played here: it needs webhooks"):
        read_script([{"kind": "lose_webhook"}], playable("state", "door"))
    assert "lose_webhook" in playable("webhooks")


def test_a_file_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - kind: slow\n    seconds: soon\n", encoding="utf-8")
    with pytest.raises(Stop, match=r"faults\.yaml: faults\.0\.seconds: must be a number"):
        load_script(file, ALL)
    file.write_text("faults: [", encoding="utf-8")
    with pytest.raises(Stop, match=r"cannot read the fault script .*faults\.yaml"):
        load_script(file, ALL)
    file.write_text("seed: 3\nfaults:\n  - {kind: slow, count: null}\n", encoding="utf-8")
    assert [found.kind for found in load_script(file, ALL)] == ["slow"]


def test_a_rule_strikes_what_it_matches_from_its_nth_call_so_many_times() -> None:
    faults = Faults([rule(method="POST|PUT", path="/assets$", nth=3, count=2)])
    assert struck(faults, 3, Sight("PATCH", "/assets")) == []
    assert struck(faults, 3, Sight("POST", "/assets/1")) == []
    assert struck(faults, 6) == [3, 4]
    [shown] = faults.shown()
    assert (shown["nth"], shown["calls"], shown["hits"], shown["path"]) == (3, 6, 2, "/assets$")
    assert struck(Faults([rule(count=None)]), 3) == [1, 2, 3]
    assert struck(Faults([rule()]), 3) == [1]


def test_a_rule_may_look_into_the_body() -> None:
    faults = Faults([rule(body='"model.account.asset.create"', count=None)])
    calls = (b'{"method": "model.account.asset.create"}', b'{"method": "model.account.asset.run"}', b"\xff")
    assert [faults.strike(Sight("POST", "/", body), "request") is not None for body in calls] == [True, False, False]


def test_the_first_rule_that_wants_a_call_gets_it_and_all_count_it() -> None:
    faults = Faults([rule(nth=2), rule(count=2)])
    assert [one.hits for one in faults.rules] == [0, 0]
    for _ in range(3):
        faults.strike(POST, "request")
    assert [(one.calls, one.hits) for one in faults.rules] == [(3, 1), (3, 2)]


def test_dice_repeat_by_seed_whatever_other_rules_there_are() -> None:
    def rolled(seed: int, *others: Rule) -> list[int]:
        faults = Faults([*others, *read_script([{"kind": "slow", "count": None, "probability": 0.5}], ALL, seed)])
        return [n for n in range(40) if getattr(faults.strike(POST, "request"), "kind", None) == "slow"]

    alone = rolled(7)
    assert rolled(7) == alone
    assert rolled(8) != alone
    assert 10 < len(alone) < 30
    beside = rolled(7, rule(nth=20))
    assert beside == [n for n in alone if n != 19]


def test_the_seed_given_at_the_start_goes_before_the_scripts_own_and_a_rules_own_before_both() -> None:
    def first(script: object, seed: int | None = None) -> float:
        return read_script(script, ALL, seed)[0].dice.random()

    slow = {"kind": "slow"}
    assert (
        first({"seed": 7, "faults": [slow]}) == first({"faults": [slow]}, 7) == first({"seed": 1, "faults": [slow]}, 7)
    )
    assert first({"seed": 7, "faults": [slow]}) != first({"seed": 8, "faults": [slow]})
    assert first([{**slow, "seed": 3}], 7) == first([{**slow, "seed": 3}], 8)


def test_a_storm_is_over_so_long_after_its_first_strike() -> None:
    now = [100.0]
    faults = Faults([rule(count=None, for_secs=10)], monotonic=lambda: now[0])
    seen = []
    for at_secs in (100.0, 105.0, 109.9, 110.0, 200.0):
        now[0] = at_secs
        seen.append(faults.strike(POST, "request") is not None)
    assert seen == [True, True, True, False, False]


def test_stages_are_looked_for_apart() -> None:
    faults = Faults(read_script([{"kind": "end_session"}, {"kind": "lose_webhook"}, {"kind": "slow"}], ALL))
    struck_by = {stage: faults.strike(POST, stage) for stage in ("session", "webhook", "request")}
    assert {stage: found.kind for stage, found in struck_by.items() if found} == {
        "session": "end_session",
        "webhook": "lose_webhook",
        "request": "slow",
    }


@pytest.mark.parametrize(
    ("keys", "header"),
    [
        ({"kind": "error_429"}, "1"),
        ({"kind": "error_429", "retry_after": 17}, "17"),
        ({"kind": "error_429", "retry_after": 0.5}, "0.5"),
        ({"kind": "error_429", "retry_after": None}, None),
        ({"kind": "error_429", "retry_after": "soon"}, "soon"),
        ({"kind": "error_503"}, None),
        ({"kind": "error_503", "retry_after": 90, "retry_after_form": "date"}, "Fri, 01 May 2026 12:01:30 GMT"),
    ],
)
def test_retry_after_is_said_in_seconds_as_a_date_or_not_at_all(keys: dict[str, object], header: str | None) -> None:
    said = rule(**keys).retry_after_header(dt.datetime(2026, 5, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))))
    assert said.get("Retry-After") == header


def test_how_old_a_stale_read_is() -> None:
    stale = {"kind": "stale_read"}
    assert rule(**stale).age == Age(changes=1)
    assert rule(**stale, changes_old=3).age == Age(changes=3)
    assert rule(**stale, seconds_old=2.5).age == Age(secs=2.5)


def test_the_document_has_every_kind_and_every_key() -> None:
    assert reference() in DOCUMENT.read_text(encoding="utf-8"), "put kinds.reference() into docs/sandboxes.md"
    for name, kind in KINDS.items():
        assert set(kind.keys) <= set(KEYS), name


def blocks(language: str) -> list[str]:
    """The document's examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_documents_script_is_one() -> None:
    [text] = blocks("yaml")
    rules = read_script(yaml.safe_load(text), playable("door"))
    assert [found.kind for found in rules] == ["timeout_after_commit", "error_429", "slow", "cut_body"]


async def test_the_documents_sandbox_runs() -> None:
    [text] = blocks("python")
    module: dict[str, Any] = {}
    exec(text, module)  # noqa: S102  - our own document
    faults, door = Faults(), Door("127.0.0.1", 0)
    port = await door.open(module["build"](door, faults))
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"X-Api-Key": "key"}) as session:
            faults.rules += read_script([{"kind": "drop_write"}, {"kind": "stale_read", "method": "GET"}], ALL)
            seen = []
            for tag in ("A", "A", "A"):
                async with session.post("/assets", json={"tag": tag, "reference": "r"}) as got:
                    seen.append((got.status, (await got.json()).get("messages")))
            assert seen == [(201, None), (201, None), (409, "the tag is taken")]
            pages = []
            for _ in range(2):
                async with session.get("/assets?limit=1") as got:
                    pages.append(await got.json())
            assert pages == [{"total": 0, "rows": []}, {"total": 1, "rows": [{"tag": "A", "reference": "r"}]}]
            async with session.get("/_journal") as got:
                assert [entry["object_id"] for entry in (await got.json())["items"]] == ["A"]
    finally:
        await door.close()
