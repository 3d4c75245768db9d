"""A run through the simulated exchange: the timers between its ticks, and that nothing else comes of them."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from laws.driver import FIRST_MIDNIGHT_NS, Ticks, random_ticks, run_engine, settings
from myquant.core import codes
from myquant.session.runner import words_of
from myquant.session.under_way import INSTRUMENT, KIND, TIME_NS, TIMERS_MAX, with_timers
from session.play import NOTHING
from session.sessions import RICH

SECOND_NS = 10**9
LIMIT = {**RICH, "execution.fill_model": "limit"}


def ticks_at(*times: int) -> Any:
    return words_of(*(NOTHING._replace(kind=codes.TICK, time_ns=time_ns, price=100) for time_ns in times))


def shown(words: Any) -> list[tuple[int, int]]:
    return [(int(row[KIND]), int(row[TIME_NS])) for row in words]


def test_there_is_a_timer_each_second_between_ticks() -> None:
    begin = 10**18
    words, rows = with_timers(
        ticks_at(begin, begin + 1, begin + 2 * SECOND_NS + 1, begin + 3 * SECOND_NS + 2), begin - 1
    )
    tick, timer = codes.TICK, codes.TIMER
    assert shown(words) == [
        (tick, begin),
        (tick, begin + 1),
        (timer, begin + 1 + SECOND_NS),
        (tick, begin + 1 + 2 * SECOND_NS),
        (timer, begin + 1 + 3 * SECOND_NS),
        (tick, begin + 2 + 3 * SECOND_NS),
    ]
    assert rows.tolist() == [0, 1, 2, 2, 3, 3]
    assert set(words[words[:, KIND] == timer, INSTRUMENT].tolist()) == {-1}


def test_a_long_gap_has_timers_at_its_beginning_only() -> None:
    words, _ = with_timers(ticks_at(10**18 + 10**6 * SECOND_NS), 10**18)
    timers = words[:-1, TIME_NS] - 10**18
    assert timers.tolist() == [SECOND_NS * (second + 1) for second in range(TIMERS_MAX)]


@given(
    steps=st.lists(st.integers(-3 * SECOND_NS, 5 * SECOND_NS), min_size=1, max_size=30),
    lost=st.integers(0, 29),
    known=st.booleans(),
)
def test_timers_go_forward_and_the_ticks_stay_as_they_were(steps: list[int], lost: int, known: bool) -> None:
    times = 10**18 + np.cumsum(steps)
    times[lost % len(steps)] = codes.NO_TIME
    ticks = ticks_at(*times.tolist())
    words, rows = with_timers(ticks, 10**18 if known else codes.NO_TIME)
    is_tick = words[:, KIND] == codes.TICK
    assert np.array_equal(words[is_tick], ticks)
    assert np.array_equal(rows[is_tick], np.arange(len(ticks)))
    timers = words[~is_tick]
    assert (np.diff(timers[:, TIME_NS]) >= SECOND_NS).all()
    latest = 10**18 if known else codes.NO_TIME
    for row in words:
        if row[KIND] == codes.TIMER:
            assert latest < row[TIME_NS]
        latest = max(latest, int(row[TIME_NS]))
    assert words[-1, KIND] == codes.TICK


def test_how_the_ticks_are_cut_into_batches_changes_nothing() -> None:
    ticks, loaded = random_ticks(3, quotes=True), settings(LIMIT)
    whole, cut = run_engine(ticks, loaded), run_engine(ticks, loaded, batch_rows=97)
    assert len(whole.trades) > 3
    assert whole.trades.tobytes() == cut.trades.tobytes()
    assert whole.account == cut.account


def test_an_entry_is_given_up_in_time_where_no_tick_comes() -> None:
    """A tick a minute later would fill it."""
    opens = FIRST_MIDNIGHT_NS + 11 * 3600 * SECOND_NS
    times = opens + np.array([0, 1, 61, 62]) * SECOND_NS
    ticks = Ticks(times, np.array([10_000, 10_005, 10_005, 10_000]), np.full(4, 10**9))
    at_once = {**LIMIT, "strategy.min_warmup_ticks": 1, "strategy.control_base_sl": False}
    assert len(run_engine(ticks, settings(at_once)).openings) == 0
    patient = settings({**at_once, "execution.order_life_s": 100})
    assert len(run_engine(ticks, patient).openings) == 1


def test_a_refused_tick_is_found_in_its_file() -> None:
    ticks = random_ticks(3, count=400)
    ticks.price[:] = np.where(ticks.price > 0, ticks.price, 20_000)
    ticks.price[250] = codes.PRICE_UNPARSABLE
    found = run_engine(ticks, settings(LIMIT), batch_rows=100).rejected_examples["unparsable_price"]
    assert [place.line for place in found] == [51]  # of the third batch
