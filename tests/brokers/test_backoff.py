"""The waits between attempts."""

from random import Random

from myquant.brokers.backoff import Backoff


def drawn(attempts: int, seed: int = 3) -> list[float]:
    backoff = Backoff(0.25, 30.0, Random(seed))
    return [backoff.next_s() for _ in range(attempts)]


def test_waits_stay_below_a_bound_that_doubles_up_to_a_cap() -> None:
    bounds = [min(30.0, 0.25 * 2.0 ** min(attempt, 100)) for attempt in range(2000)]
    for seed in range(50):
        assert all(0 <= wait <= bound for wait, bound in zip(drawn(2000, seed), bounds, strict=True))
    capped = drawn(2000)[10:]
    assert max(capped) > 29
    assert min(capped) < 1  # full jitter: down to nothing
    assert 14 < sum(capped) / len(capped) < 16


def test_the_same_seed_draws_the_same_waits() -> None:
    assert drawn(9, 1) == drawn(9, 1) != drawn(9, 2)


def test_a_least_wait_is_added_and_a_reset_goes_back() -> None:
    backoff = Backoff(1.0, 8.0, Random(1))
    assert 2.0 <= backoff.next_s(2.0) <= 3.0
    for _ in range(9):
        backoff.next_s()
    backoff.reset(3)
    assert backoff.attempts == 3
    backoff.reset(5)
    assert backoff.attempts == 3
    backoff.reset()
    assert backoff.next_s() <= 1.0
