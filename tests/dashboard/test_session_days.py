"""A page of a session that goes on into its next day goes on with it, unless somebody looks at another day."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.made_rows import BEGAN_NS, SECOND_NS, Made
from myquant.core import codes
from myquant.dashboard.charts import LIGHT
from myquant.dashboard.pages_session import ALL_DAYS, _Pictures, range_of
from myquant.dashboard.session_charts import LatencyPicture, PricePicture, Range
from myquant.dashboard.trace import Trace

INDIA = ZoneInfo("Asia/Kolkata")
DAY_NS = 86_400 * SECOND_NS


class Place:
    """Where the choice of days stands."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def clear(self) -> None:
        pass


class Choice:
    """What one chooses a day with."""

    def __init__(self, days: list[str], value: str, label: str) -> None:
        assert (label, value in days) == ("Day", True)

    def on_value_change(self, told: Callable[[Any], None]) -> None:
        self.told = told


class Drawn:
    """A picture that notes what it is told to draw."""

    def __init__(self) -> None:
        self.ranges: list[Range] = []

    def draw(self, _trace: Trace, whole: Range) -> None:
        self.ranges.append(whole)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> _Pictures:
    monkeypatch.setattr("myquant.dashboard.pages_session.ui.select", Choice)
    made = _Pictures.__new__(_Pictures)
    made._days, made._day, made._choice = [], "", Place()  # type: ignore[assignment]
    made._pictures = [Drawn()]  # type: ignore[list-item]
    return made


def tick(trace: Trace, day: int) -> None:
    made = Made()
    made.event(codes.TICK, time_ns=BEGAN_NS + day * DAY_NS, price=100, volume=1)
    trace.take(made.rows())


def test_a_new_day_is_shown_where_the_last_one_was(pictures: _Pictures) -> None:
    trace = Trace(("NIFTY",), INDIA)
    assert pictures._follow_days(trace)
    for day in range(3):
        tick(trace, day)
        assert pictures._follow_days(trace)
        assert not pictures._follow_days(trace)
        assert pictures._day == str(trace.days()[-1])
    (drawn,) = pictures._pictures
    wanted = [range_of(each, INDIA) for each in (ALL_DAYS, *map(str, trace.days()))]
    assert drawn.ranges == wanted  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", [0, None])
def test_another_day_that_somebody_looks_at_stays(pictures: _Pictures, place: int | None) -> None:
    trace = Trace(("NIFTY",), INDIA)
    for day in range(2):
        tick(trace, day)
    pictures._follow_days(trace)
    chosen = ALL_DAYS if place is None else str(trace.days()[place])
    pictures._show_day(trace, chosen)
    tick(trace, 2)
    assert not pictures._follow_days(trace)
    assert (pictures._day, len(pictures._days)) == (chosen, 3)


class Table:
    """A table that was opened."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def show(self, rows: list[Any]) -> None:
        self.shown.append(len(rows))


def test_a_table_that_is_open_shows_what_its_picture_shows() -> None:
    trace = Trace(("NIFTY",), INDIA)
    for day in range(2):
        tick(trace, day)
    price, latency = PricePicture(INDIA, LIGHT, 0, "NIFTY"), LatencyPicture(INDIA, LIGHT, "total")
    for picture in (price, latency):
        picture._table = Table()  # type: ignore[assignment]
    price.draw(trace, range_of(str(trace.days()[0]), INDIA))
    price.draw(trace, range_of(ALL_DAYS, INDIA))
    assert price._table.shown == [1, 2]  # type: ignore[union-attr]
    (first, _), (second, _) = price.rows(trace)
    assert first != second
    assert [cells[0] for _, cells in price.rows(trace)] == ["2025-10-03 09:15:00 IST", "2025-10-04 09:15:00 IST"]
    latency.draw(trace, range_of(ALL_DAYS, INDIA))
    latency.show_stage("feed")
    assert len(latency._table.shown) == 2  # type: ignore[union-attr]
