"""One day of a recorder's feed: frames to ticks, which of its connections are healthy, and the gaps between."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from myquant.brokers.packets import TICKED
from myquant.journal.record import Input
from myquant.session.clock import Clock, ExchangeClock, latest_of
from myquant.session.hours import Hours
from myquant.session.loop import GRACE_NS, FeedPort
from myquant.session.needs import Log
from myquant.session.recording import Gap, Recording
from myquant.ticks.batch import InstrumentName

NOT_CONNECTED: Final = "not connected yet"
NOT_RECORDING: Final = "not recording"


class Tokens(Protocol):
    """The tokens of a connection."""

    @property
    def rows(self) -> Mapping[int, int]:
        """The instruments that it has, by their numbers."""


class Decoder(Protocol):
    """From the frames of one connection to journal inputs; see `brokers.angelone.decode.FrameDecoder`."""

    words: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]

    @property
    def tokens(self) -> Tokens:
        """What the connection is subscribed to."""

    def take(self, payload: memoryview, arrived_ns: int, wall_ns: int, /) -> int:
        """Decode a frame into the first row of `words`; return what it is (`brokers.packets`)."""

    def connect(self, number: int) -> None:
        """Begin a connection, numbered from 1."""

    def recall(self, last: Input) -> None:
        """Go on from the last input of an instrument."""

    def clock(self) -> tuple[int, int]:
        """Return the exchange's time (0: not known), and the monotonic time at which it arrived."""


@dataclass(frozen=True)
class OpenDay:
    """A broker's account, opened for a day. `feed` makes the feed that calls `on_frame` and `on_status`."""

    names: tuple[InstrumentName, ...]
    notes: tuple[str, ...]
    decoders: Sequence[Decoder]
    feed: Callable[["RecordedFeed"], FeedPort]


class _Missing(NamedTuple):
    """Since when ticks may be missing, by the machine's clock and the exchange's, and why."""

    begin_ns: int
    exchange_begin_ns: int
    reason: str
    spare_ns: int = 0  # before the close: with a last tick then, the day was recorded to its end


class RecordedFeed:
    """What a feed calls.

    Args:
        last: of each instrument, by its number, the last tick that an earlier process recorded.
        hours: from a date to the hours of the instruments.

    Attributes:
        log: for people.
        stale, reason, since_ns: how the feed is, why, and since when (UTC).
        gaps: how many there were within the market's hours.
    """

    def __init__(
        self,
        recording: Recording,
        opened: OpenDay,
        last: Mapping[int, Input],
        clock: Clock,
        log: Log,
        *,
        hours: Callable[[date], Hours | None],
        date_of: Callable[[int], date],
    ) -> None:
        self.stale, self.reason, self.since_ns = True, NOT_CONNECTED, clock.wall_ns()
        self.gaps = 0
        self._recording, self._decoders, self._clock, self.log = recording, opened.decoders, clock, log
        self._hours, self._date_of = hours, date_of
        self._healthy: dict[int, bool] = {}
        self._connections = 0
        self._heard_time = False
        # How far the exchange's clock is from ours shows the tick that was under way for the shortest time.
        events = [each.event for each in last.values()]
        offset_ns = max((event.time_ns - event.receive_ns for event in events), default=None)
        self._exchange_clock = ExchangeClock(
            clock, lambda: latest_of(each.clock() for each in opened.decoders), offset_ns
        )
        self._missing = _Missing(self.since_ns, self._exchange_clock.now_ns(), NOT_CONNECTED)
        if events:
            latest = max(events, key=lambda event: event.receive_ns)
            self._missing = _Missing(latest.receive_ns, latest.time_ns, NOT_RECORDING, GRACE_NS)
        for decoder in opened.decoders:
            self._connect(decoder)
            for number in decoder.tokens.rows.keys() & last.keys():
                decoder.recall(last[number])

    def on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        """Take a frame, straight from the socket."""
        decoder = self._decoders[connection - 1]
        if decoder.take(payload, arrived_ns, self._clock.wall_ns()) == TICKED:
            self._recording.append(decoder.words)

    def on_status(self, connection: int, healthy: bool, reason: str) -> None:
        """Take what became of a connection. The feed is healthy when all of them are."""
        self._healthy[connection] = healthy
        now = self._exchange_clock.now_ns()  # before its decoder forgets the time
        if not healthy:
            self._connect(self._decoders[connection - 1])
        stale = not all(self._healthy.values())
        if stale == self.stale:
            return
        self.stale, self.reason, self.since_ns = stale, reason, self._clock.wall_ns()
        if stale:
            self._missing = _Missing(self.since_ns, now, reason)
            self.log.warning("feed stale", reason=reason)
        else:
            self._end_gap()
            self.log.info("feed healthy")

    def expects_data(self) -> bool:
        """Return whether packets must be coming now: the market is open."""
        now = self._exchange_clock.now_ns()
        hours = self._hours(self._date_of(now))
        return hours is not None and hours.open_ns <= now < hours.close_ns

    def day(self) -> date:
        """Return the exchange's date."""
        return self._date_of(self._exchange_clock.now_ns())

    def day_is_over(self) -> bool:
        """Return whether the exchange's day has ended, by a time that came while we were connected."""
        self._heard_time = self._heard_time or any(decoder.clock()[0] for decoder in self._decoders)
        if not self._heard_time:
            return False
        now = self._exchange_clock.now_ns()
        hours = self._hours(self._date_of(now))
        return hours is not None and now >= hours.close_ns + GRACE_NS

    def counts(self) -> np.ndarray[Any, Any]:
        """Return what became of the packets so far (`brokers.packets.REASON_NAMES`)."""
        return np.asarray(np.sum([decoder.counts for decoder in self._decoders], axis=0))

    def end(self) -> None:
        """Take it that the feed was closed."""
        if self.stale:
            self._end_gap()

    def _connect(self, decoder: Decoder) -> None:
        self._connections += 1
        decoder.connect(self._connections)

    def _end_gap(self) -> None:
        """Note a gap if some of it was within the market's hours."""
        missing, now, wall = self._missing, self._exchange_clock.now_ns(), self._clock.wall_ns()
        hours = [self._hours(on) for on in {self._date_of(missing.exchange_begin_ns), self._date_of(now)}]
        begin = missing.exchange_begin_ns
        if any(max(begin, each.open_ns) < min(now, each.close_ns - missing.spare_ns) for each in hours if each):
            self.gaps += 1
            self._recording.add_gap(Gap(missing.begin_ns, wall, begin, now, missing.reason))
