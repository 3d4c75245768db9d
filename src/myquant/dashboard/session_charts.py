"""The pictures of a session's page: made once, then only what is new is sent, so that a zoom outlives an update.

Each picture is a base, drawn with few points of many, and a tail, which an update replaces; a base is made anew once a minute and when
somebody zooms.
"""

from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from nicegui import ui
from nicegui.events import GenericEventArguments

from myquant.dashboard import charts
from myquant.dashboard.canvas import Canvas
from myquant.dashboard.chart_tables import latency_rows, pnl_rows, price_rows
from myquant.dashboard.charts import Options, Palette
from myquant.dashboard.components import LiveTable, Row
from myquant.dashboard.series import Line, Quantiles, bar_line, between, latency_line, thinned, zoomed
from myquant.dashboard.trace import Trace
from myquant.dashboard.trace_rows import (
    CLOCK,
    DAY_PNL,
    DRAWDOWN,
    FROM_CLOCK,
    MINUTE_NS,
    SECOND,
    SECOND_NS,
    STAGES,
    TO_CLOCK,
    WALL,
    Words,
)

POINTS_MAX: Final = 1500  # of a base's line
MINUTES_MAX: Final = 1500  # the newest, each by itself: a day has 1,440
MARKS_MAX: Final = 300  # the newest
BASE_S: Final = 60  # a tail gets no longer
HEIGHT_PX: Final = 380


class Range(NamedTuple):
    """A range of time, ns; the end is included."""

    from_ns: int
    to_ns: int


EVER: Final = Range(0, 2**62)


class Picture:
    """What all pictures share: the chart, its table, its zoom. It is made empty; `draw` fills it, `update` keeps it as its trace is."""

    columns: tuple[str, ...] = ()
    name = ""

    def __init__(self, zone: ZoneInfo, palette: Palette) -> None:
        self._zone = zone
        self._palette = palette
        self._whole = EVER
        self._trace: Trace | None = None
        self._zoom: Range | None = None
        self._drawn: Range | None = None  # of the base's points
        self._canvas: Canvas | None = None
        self._table: LiveTable | None = None

    def build(self) -> None:
        """Make it where the page is."""
        self._canvas = Canvas(self._frame(), self.name, HEIGHT_PX)
        self._canvas.element.on("chart:datazoom", self._zoomed, throttle=0.4, leading_events=False)
        with ui.element("details"):
            with ui.element("summary").on("click", self._show_table):
                ui.label(f"{self.name}, as a table")
            self._place = ui.element("div").style("max-height: 28rem; overflow-y: auto")

    def draw(self, trace: Trace, whole: Range) -> None:
        """Show a range of a trace's days."""
        self._trace, self._whole, self._zoom = trace, whole, None
        self._send(self._base(trace) + self._tail(trace))
        self._renew_table()

    def update(self) -> None:
        """Send what is new."""
        if self._trace is not None:
            is_old = self._is_base_old(self._trace)
            self._send((self._base(self._trace) if is_old else []) + self._tail(self._trace))
            if is_old:
                self._renew_table()

    def rows(self, trace: Trace) -> list[Row]:
        """Return the same as rows of a table."""
        raise NotImplementedError

    def _frame(self) -> Options:
        raise NotImplementedError

    def _base(self, trace: Trace) -> list[Options]:
        raise NotImplementedError

    def _tail(self, trace: Trace) -> list[Options]:
        raise NotImplementedError

    def _is_base_old(self, trace: Trace) -> bool:
        raise NotImplementedError

    def _is_dated(self, trace: Trace) -> bool:
        return trace.has_days and self._whole == EVER

    def _few(self, line: Line) -> Line:
        """Return few points of a line of the whole range, most of them where somebody looks; note what they span."""
        line = between(line, *self._whole)
        if len(line.time_ns):
            self._drawn = Range(int(line.time_ns[0]), int(line.time_ns[-1]))
        return thinned(line, POINTS_MAX) if self._zoom is None else zoomed(line, *self._zoom, POINTS_MAX)

    def _send(self, series: list[Options]) -> None:
        if self._canvas is not None:
            self._canvas.send(series)

    def _zoomed(self, event: GenericEventArguments) -> None:
        """Draw more points where somebody zooms to."""
        part = percents(event.args)
        if part is None or self._drawn is None or self._trace is None:
            return
        first, span = self._drawn.from_ns, self._drawn.to_ns - self._drawn.from_ns
        self._zoom = Range(first + int(span * part[0] / 100), first + int(span * part[1] / 100))
        if part == (0.0, 100.0):
            self._zoom = None
        self._send(self._base(self._trace))

    def _show_table(self) -> None:
        if self._trace is not None:
            with self._place:
                self._table = self._table or LiveTable(self.columns, self.name)
            self._renew_table()

    def _renew_table(self) -> None:
        """Show in the table, once it was opened, what the picture shows."""
        if self._table is not None and self._trace is not None:
            self._table.show(self.rows(self._trace))


class PricePicture(Picture):
    """An instrument's price with entries, exits and what closes a position, on the exchange's clock."""

    columns = ("From", "#Open, Rs", "#Highest, Rs", "#Lowest, Rs", "#Last, Rs", "#Ticks")
    name = "Price"

    def __init__(self, zone: ZoneInfo, palette: Palette, instrument: int, symbol: str) -> None:
        super().__init__(zone, palette)
        self._instrument, self._symbol = instrument, symbol
        self._base_s = 0  # up to this second
        self._levels = 0  # of the base
        self._marks = -1
        self._sent: dict[str, Options] = {}  # marks by their id, that were ever drawn

    def rows(self, trace: Trace) -> list[Row]:
        """Return the same as rows of a table."""
        return price_rows(
            within(trace.bars(self._instrument), SECOND, self._whole, SECOND_NS),
            self._zone,
            is_dated=self._is_dated(trace),
        )

    def _frame(self) -> Options:
        return charts.price_chart(self._symbol, self._zone, self._palette)

    def _base(self, trace: Trace) -> list[Options]:
        bars, levels = trace.bars(self._instrument), self._held(trace)
        self._base_s = int(bars[-1, SECOND]) if len(bars) else 0
        self._levels, self._marks = max(0, len(levels) - 1), -1
        price = charts.price_series(self._few(bar_line(bars)), self._zone, self._palette)
        return [price, *charts.level_series(levels[: self._levels], self._zone, self._palette)]

    def _tail(self, trace: Trace) -> list[Options]:
        newest = bar_line(trace.newest_bars(self._instrument, self._base_s))
        price = charts.price_series(between(newest, *self._whole), self._zone, self._palette, tail=True)
        levels = self._held(trace)[max(0, self._levels - 1) :]
        series = [price, *charts.level_series(levels, self._zone, self._palette, tail=True)]
        return series + self._new_marks(trace)

    def _new_marks(self, trace: Trace) -> list[Options]:
        marks = [mark for mark in trace.marks if mark.instrument == self._instrument]
        if len(marks) == self._marks:
            return []
        self._marks = len(marks)
        first, last = self._whole
        seen = [mark for mark in marks if first <= mark.time_ns <= last][-MARKS_MAX:]
        drawn = {series["id"]: series for series in charts.mark_series(seen, self._zone, self._palette)}
        gone = [series | {"data": []} for name, series in self._sent.items() if name not in drawn]
        self._sent |= drawn
        return [*drawn.values(), *gone]

    def _held(self, trace: Trace) -> Words:
        levels = trace.levels(self._instrument)
        first, last = self._whole
        return levels[(levels[:, TO_CLOCK] >= first) & (levels[:, FROM_CLOCK] <= last)]

    def _is_base_old(self, trace: Trace) -> bool:
        newest = trace.newest_bars(self._instrument, self._base_s + BASE_S)
        return len(newest) > 0 or len(self._held(trace)) > self._levels + BASE_S


class PnlPicture(Picture):
    """The day's P&L and the drawdown, on the exchange's clock."""

    columns = ("At", "#P&L of the day, Rs", "#Drawdown, Rs", "#Equity, Rs")
    name = "P&L of the day and drawdown"

    def __init__(self, zone: ZoneInfo, palette: Palette) -> None:
        super().__init__(zone, palette)
        self._count = 0  # of notes, when the base was drawn
        self._base_ns = 0  # its last note's clock: the tail begins there, as what is drawn twice looks darker

    def rows(self, trace: Trace) -> list[Row]:
        """Return the same as rows of a table."""
        return pnl_rows(
            within(known(trace.ledgers()), CLOCK, self._whole, 1), self._zone, is_dated=self._is_dated(trace)
        )

    def _frame(self) -> Options:
        return charts.pnl_chart(self._zone, self._palette)

    def _base(self, trace: Trace) -> list[Options]:
        ledgers = known(trace.ledgers())
        self._count = len(trace.ledgers())
        self._base_ns = int(ledgers[-1, CLOCK]) if len(ledgers) else 0
        drawdown = self._few(Line(ledgers[:, CLOCK], ledgers[:, DRAWDOWN]))
        pnl = self._few(Line(ledgers[:, CLOCK], ledgers[:, DAY_PNL]))
        return charts.pnl_series(pnl, drawdown, self._zone, self._palette)

    def _tail(self, trace: Trace) -> list[Options]:
        new = trace.ledgers()[-2 * BASE_S :]
        ledgers = within(known(new), CLOCK, self._whole, 1)
        ledgers = ledgers[ledgers[:, CLOCK] >= self._base_ns]
        pnl, drawdown = (Line(ledgers[:, CLOCK], ledgers[:, place]) for place in (DAY_PNL, DRAWDOWN))
        return charts.pnl_series(pnl, drawdown, self._zone, self._palette, tail=True)

    def _is_base_old(self, trace: Trace) -> bool:
        count, newest = len(trace.ledgers()), trace.ledgers()[-1:, CLOCK]
        is_behind = bool((newest > 0).any() and (newest < self._base_ns).any())  # it was drawn by the machine's clock
        return count >= self._count + BASE_S or count < self._count or is_behind


class LatencyPicture(Picture):
    """Percentiles of a stage by minute, on the machine's clock."""

    columns = ("From", "#n", "#p50", "#p99", "#p99.9")
    name = "Latency by minute"

    def __init__(self, zone: ZoneInfo, palette: Palette, stage: str) -> None:
        super().__init__(zone, palette)
        self._stage = stage
        self._minute = 0  # the last of the base
        self._shown = EVER  # by the machine's clock

    def rows(self, trace: Trace) -> list[Row]:
        """Return the same as rows of a table."""
        self._shown = wall_of(trace.ledgers(), self._whole)
        is_dated = trace.has_days and self._shown == EVER
        return latency_rows(self._line(trace, self._minutes(trace)), self._zone, is_dated=is_dated)

    def show_stage(self, stage: str) -> None:
        """Show another stage."""
        if stage in STAGES:
            self._stage = stage
            if self._trace is not None:
                self.draw(self._trace, self._whole)

    def _frame(self) -> Options:
        return charts.latency_chart(self._zone, self._palette)

    def _base(self, trace: Trace) -> list[Options]:
        self._shown = wall_of(trace.ledgers(), self._whole)
        minutes = self._minutes(trace)
        self._minute = minutes[-1] if minutes else 0
        return charts.latency_series(self._line(trace, minutes[:-1]), self._zone, self._palette)

    def _tail(self, trace: Trace) -> list[Options]:
        line = self._line(trace, self._minutes(trace)[-2:])
        return charts.latency_series(line, self._zone, self._palette, tail=True)

    def _minutes(self, trace: Trace) -> list[int]:
        first, last = self._shown
        return [each for each in trace.minutes() if first <= each * MINUTE_NS <= last][-MINUTES_MAX:]

    def _line(self, trace: Trace, minutes: list[int]) -> list[Quantiles]:
        return latency_line(trace, self._stage, minutes, MINUTES_MAX)

    def _is_base_old(self, trace: Trace) -> bool:
        minutes = self._minutes(trace)
        return bool(minutes) and minutes[-1] != self._minute

    def _zoomed(self, event: GenericEventArguments) -> None:
        """Leave it as it is: a zoom shows the same minutes."""


def known(ledgers: Words) -> Words:
    """Return the rows whose exchange time is known, in its order.

    Before the first packet a session has the machine's clock for it, which in the lab is perhaps of a later day: rows that are ahead
    of what follows are left out.
    """
    rows = ledgers[ledgers[:, CLOCK] > 0]
    least = np.minimum.accumulate(rows[::-1, CLOCK])[::-1]
    kept: Words = rows[rows[:, CLOCK] <= least]
    return kept


def wall_of(ledgers: Words, whole: Range) -> Range:
    """Return from when to when, by the machine's clock, a range of the exchange's clock was; all of it where that is not known."""
    rows = known(ledgers)
    begin, end = np.searchsorted(rows[:, CLOCK], [whole.from_ns, whole.to_ns + 1]).tolist()
    if begin == end:
        return EVER
    minutes = rows[:, WALL] // MINUTE_NS * MINUTE_NS
    return Range(int(minutes[begin]) if begin else 0, int(minutes[end]) - 1 if end < len(rows) else EVER.to_ns)


def within(rows: Words, column: int, whole: Range, unit_ns: int) -> Words:
    """Return the rows of a range; the column's time is counted in `unit_ns`."""
    chosen = (rows[:, column] * unit_ns >= whole.from_ns) & (rows[:, column] * unit_ns <= whole.to_ns)
    return rows[chosen]


def percents(told: Any) -> tuple[float, float] | None:
    """Return from where to where a browser says it has zoomed, percent; None: it says nothing of use."""
    if isinstance(told, dict) and isinstance(batch := told.get("batch"), list) and batch:
        told = batch[0]
    if not isinstance(told, dict):
        return None
    start, end = told.get("start"), told.get("end")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not 0 <= start <= end <= 100:
        return None
    return float(start), float(end)
