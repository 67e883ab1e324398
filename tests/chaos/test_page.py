"""The page tells the figures of all parts together, and every fault by its rule."""

from __future__ import annotations

from dataclasses import replace

from tests.chaos.breaking import load_broken
from tests.chaos.history import RULES
from tests.chaos.page import Setting, write_page
from tests.chaos.result import Result, Trial
from tests.mutation.run import load_mutants

SETTING = Setting("make chaos EVENTS=20 KILLS=3 SEED=1", "2026-11-21", "2 cores", "Python 3.11", 3)
ONE = Result(
    seed=1001,
    events=10,
    effects={"assets": 5, "books": 3, "costs": 2},
    kills={"commit:before": 1, "anywhere": 1},
    freezes={"call:before": 1},
    strikes={"broker-kill": 1},
    starts=9,
    fenced=1,
    repeated=4,
    wall_secs=41.5,
    processor_secs=50.1,
    phases={"trouble": 12.5},
)
OTHER = replace(ONE, seed=1002, kills={"commit:before": 2}, faults=["lost: assets: assets/3 version 1 was sent"])


def test_the_page_has_a_row_a_part_and_sums_the_rest() -> None:
    page = write_page(SETTING, [ONE, OTHER])
    assert "`make chaos EVENTS=20 KILLS=3 SEED=1` on 2026-11-21" in page
    assert "| 1 | 1001 | 10 | 5 | 3 | 2 | 2 | 9 | 0 | 41.5 | 12.5 | 50.1 |" in page
    assert "| 2 | 1002 | 10 | 5 | 3 | 2 | 2 | 9 | 1 | 41.5 | 12.5 | 50.1 |" in page
    assert "2 of 3 parts were run: 20 events and 4 kills. The others were not" in page
    assert "3 of 3 parts were run: 30 events and 6 kills.\n" in write_page(SETTING, [ONE, OTHER, ONE])
    assert "| commit:before | 3 |" in page
    assert "| together | 4 |" in page
    assert "2 copies that had been replaced found out" in page
    assert "8 transactions were given up" in page


def test_a_fault_is_counted_by_its_rule_and_told() -> None:
    assert "| lost | sent and confirmed, but on no event topic | 0 |" in write_page(SETTING, [ONE])
    page = write_page(SETTING, [ONE, OTHER])
    assert "| lost | sent and confirmed, but on no event topic | 1 |" in page
    assert "- lost: assets: assets/3 version 1 was sent" in page


def test_a_broken_product_that_was_missed_is_shown() -> None:
    caught = Trial("intent", "no intent", ["doubled"], {"doubled": 2, "unseen": 1}, 1, 400, 24, "doubled: costs/1")
    missed = replace(caught, name="order", found={"unseen": 1}, example="")
    page = write_page(SETTING, [ONE], [caught, missed])
    assert "| intent | no intent | yes | doubled 2, unseen 1 | 400 | 24 | doubled: costs/1 |" in page
    assert "| order | no intent | no | unseen 1 | 400 | 24 |  |" in page
    assert Trial.from_json(caught.to_json()) == caught
    assert "on trial" not in write_page(SETTING, [ONE])


def test_every_broken_product_is_a_mutant_and_says_by_what_it_is_caught() -> None:
    mutants = {mutant.breaks for mutant in load_mutants()}
    for name, broken in load_broken().items():
        assert broken.mutant in mutants, name
        assert set(broken.caught_by) <= set(RULES), name
        assert broken.caught_by, name


def test_figures_are_kept_as_they_are() -> None:
    assert Result.from_json(OTHER.to_json()) == OTHER
