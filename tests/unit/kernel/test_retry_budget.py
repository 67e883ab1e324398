"""A target is tried again at most for a tenth of what it is asked first, and twenty times a minute on top."""

from __future__ import annotations

import random

from tieline.kernel.retry_budget import RetryBudget


def spend(budget: RetryBudget, now_secs: float) -> tuple[RetryBudget, int]:
    """All retries that are allowed now, taken; and how many they were."""
    count = 0
    while budget.wait_secs(now_secs) == 0.0:
        budget, count = budget.retried(now_secs), count + 1
        assert count < 10_000
    return budget, count


def test_without_load_there_are_a_few() -> None:
    budget, count = spend(RetryBudget(), 100.0)
    assert count == 20
    assert 60.0 <= budget.wait_secs(100.0) <= 61.0
    assert spend(budget, 161.0)[1] == 20


def test_load_allows_a_tenth_of_it_more() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget = budget.tried(100.0)
    assert spend(budget, 101.0)[1] == 120
    assert spend(budget, 170.0)[1] == 20, "what was asked long ago allows nothing now"


def test_in_no_window_are_there_more_retries_than_a_tenth_and_a_few() -> None:
    dice = random.Random(7)  # noqa: S311  - reproducible, no secret
    budget, now_secs = RetryBudget(), 0.0
    firsts: list[float] = []
    retries: list[float] = []
    for _ in range(4000):
        now_secs += dice.expovariate(5.0)
        if dice.random() < 0.5:
            budget = budget.tried(now_secs)
            firsts.append(now_secs)
        elif budget.wait_secs(now_secs) == 0.0:
            budget = budget.retried(now_secs)
            retries.append(now_secs)
            among = [at for at in firsts if at > now_secs - 61.0]
            assert sum(at > now_secs - 60.0 for at in retries) <= 20 + len(among) / 10
    assert len(retries) > 100
