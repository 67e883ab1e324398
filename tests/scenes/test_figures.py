"""The page tells what was found and what does not hold; a partition is idle as long as its position stands still."""

from __future__ import annotations

from tests.scenes.figures import Result, write_page
from tests.scenes.storm import Idleness


def a_result(*, holds: bool) -> Result:
    result = Result("storm", "60 in 3.0 minutes", command="make scene NAME=storm SIZE=60", machine="2 cores")
    result.note("longest without a move", "31.0 s", "≤ 30 s", holds=holds)
    result.note("replaced copies that ended", 12)
    return result


def test_a_result_is_good_when_every_bound_holds_and_nothing_is_at_fault() -> None:
    assert a_result(holds=True).is_good
    assert not a_result(holds=False).is_good
    result = a_result(holds=True)
    result.faults.append("lost: assets/3 version 1")
    assert not result.is_good


def test_the_page_has_a_row_a_scene_with_the_figures_that_have_a_bound() -> None:
    page = write_page([a_result(holds=True)])
    row = "| storm | `make scene NAME=storm SIZE=60` | 60 in 3.0 minutes | 2 cores |"
    assert f"{row} longest without a move 31.0 s | holds |" in page
    assert "| replaced copies that ended | 12 |  |  |" in page


def test_the_page_says_what_does_not_hold() -> None:
    page = write_page([a_result(holds=False)])
    assert "| **does not hold** |" in page
    assert "| longest without a move | 31.0 s | ≤ 30 s | **no** |" in page


def test_figures_are_kept_as_they_are() -> None:
    result = a_result(holds=False)
    assert Result.from_json(result.to_json()) == result


def test_a_partition_is_idle_as_long_as_its_position_stands_still() -> None:
    idleness = Idleness()
    one, other = ("reports", 0), ("reports", 1)
    for now_secs, at, of_other in ((0.0, 5, 5), (4.0, 5, 6), (9.0, 6, 7), (10.0, 6, 8)):
        idleness.look({"identify": {one: at, other: of_other}}, now_secs)
    assert idleness.longest == {("identify", one): 9.0, ("identify", other): 5.0}
