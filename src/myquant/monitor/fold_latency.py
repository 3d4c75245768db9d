"""What ticks took, and how late they came, from the stamps of inputs."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.journal.record import BODY, Origin
from myquant.journal.segment import Rows
from myquant.monitor.histogram import LATENCY_S, Histogram
from myquant.monitor.view import SessionView, Spent

SECOND_NS: Final = 1_000_000_000
MINUTE_S: Final = 60
RUNS_MAX: Final = 1000  # of packets that came within a second, of which the least is looked for in a block
FAR_NS: Final = (
    3600 * SECOND_NS
)  # clocks that are further apart are perhaps not of one day: a lab plays one of the past
SPENT_MAX: Final = 64  # blocks of `SessionView.spent`; beyond it the oldest go

# Upper bounds: of the delay from the exchange to us, s; of a fill against the decision's price, rupees a unit
DELAY_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
ROUND_TRIP_S: Final = (*LATENCY_S[8:], 2.0, 5.0, 10.0, 30.0)
SLIPPAGE_RUPEES: Final = (-5.0, -2.0, -1.0, -0.5, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_PLACES: Final = {name: BODY + place for place, name in enumerate((*Event._fields, *Origin._fields))}
_COMMAND_PLACES: Final = {name: BODY + place for place, name in enumerate(Command._fields)}


class Latencies:
    """Takes inputs and commands into the histograms of a view.

    What an input took stands in the one after it, and its orders stand between them: the last input of a block waits for the next.
    """

    def __init__(self, view: SessionView) -> None:
        self._view = view
        self._submitted: NDArray[np.int64] = np.zeros(0, np.int64)  # inputs that led to an order, of the last block
        self._zone = ZoneInfo(view.config.config.session.timezone)
        self._delays: dict[int, int] = {}  # the least of each second of the last minute

    def take(self, rows: Rows, first: int, decided: Rows) -> None:
        """Take the inputs of a block, `rows[first:]`, behind the one before them, where there is one, and its commands."""
        orders = decided[decided[:, _COMMAND_PLACES["kind"]] == codes.SUBMIT]
        submitted = np.concatenate((self._submitted, orders[:, _COMMAND_PLACES["event_sequence"]]))
        if len(rows) > first:
            self._take_steps(rows, submitted)
            self._take_delays(rows[first:])
            submitted = submitted[submitted >= rows[-1, _PLACES["sequence"]]]
        self._submitted = submitted

    def _take_steps(self, rows: Rows, submitted: NDArray[np.int64]) -> None:
        """Take what each input took, as the one behind it says."""
        before, behind = rows[:-1], rows[1:]
        sequence, arrived, decoded = (before[:, _PLACES[name]] for name in ("sequence", "arrived_ns", "decoded_ns"))
        spent = behind[:, _PLACES["spent_ns"]]
        known = (before[:, _PLACES["kind"]] == codes.TICK) & (arrived > 0) & (spent > 0)
        known &= behind[:, _PLACES["sequence"]] == sequence + 1
        if not known.any():
            return
        spent, sequence = spent[known], sequence[known]
        decode = decoded[known] - arrived[known]
        self._add("total", spent)
        self._keep(spent)
        is_decoded = (decoded[known] > 0) & (decode >= 0) & (decode <= spent)
        led = np.isin(sequence, submitted)
        self._add("decode", decode[is_decoded])
        self._add("decide", (spent - decode)[is_decoded & ~led])
        self._add("order", (spent - decode)[is_decoded & led])

    def _add(self, stage: str, values_ns: NDArray[np.int64]) -> None:
        if len(values_ns):
            self._view.latency.setdefault(stage, Histogram(LATENCY_S)).add_all(values_ns / SECOND_NS)

    def _keep(self, spent: NDArray[np.int64]) -> None:
        telemetry = self._view.telemetry
        reference_ns = telemetry.reference_ns if telemetry is not None and telemetry.reference_ns > 0 else None
        self._view.spent.append(Spent(spent, reference_ns))
        del self._view.spent[:-SPENT_MAX]

    def _take_delays(self, given: Rows) -> None:
        """Take by how much packets came later than the exchange's time of them."""
        kinds, received = given[:, _PLACES["kind"]], given[:, _PLACES["receive_ns"]]
        times = given[:, _PLACES["time_ns"]]
        known = ((kinds == codes.TICK) | (kinds == codes.QUOTE)) & (received > 0) & (times > 0)
        if not known.any():
            return
        delays, seconds = received[known] - times[known], received[known] // SECOND_NS
        begins = np.concatenate(([0], np.flatnonzero(np.diff(seconds)) + 1))[-RUNS_MAX:]
        for second, least in zip(seconds[begins].tolist(), np.minimum.reduceat(delays, begins).tolist(), strict=True):
            self._delays[second] = min(self._delays.get(second, least), least)
        newest = max(self._delays)
        self._delays = {second: least for second, least in self._delays.items() if second > newest - MINUTE_S}
        least = min(self._delays.values())
        self._view.delay_min_ns = None if self._is_of_another_day(newest * SECOND_NS, least) else least
        near = delays[np.abs(delays) < FAR_NS]
        if len(near):
            histogram = self._view.feed_delay = self._view.feed_delay or Histogram(DELAY_S)
            histogram.add_all(near / SECOND_NS)

    def _is_of_another_day(self, received_ns: int, delay_ns: int) -> bool:
        """Return whether a lab plays another day; hours of difference within one are a clock that is set wrongly."""
        return abs(delay_ns) >= FAR_NS and self._day_of(received_ns) != self._day_of(received_ns - delay_ns)

    def _day_of(self, time_ns: int) -> date:
        return datetime.fromtimestamp(time_ns // SECOND_NS, self._zone).date()
