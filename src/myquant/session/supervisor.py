"""The supervisor: what a session does beside deciding. It feeds the runner, and watches feed, journal, clock and day.

It has no loop and no socket of its own: whoever has them calls it, one call at a time.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from myquant.brokers.packets import QUOTED, TICKED
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.errors import JournalError
from myquant.journal import record
from myquant.journal.record import NOTE_VALUES, Origin
from myquant.journal.writer import JournalWriter
from myquant.session.clock import Clock, ExchangeClock
from myquant.session.feed_use import Feed, FeedUse
from myquant.session.later import Later, at_once
from myquant.session.log import Errors
from myquant.session.needs import Decoder, Log
from myquant.session.notes import Notes
from myquant.session.rules import SECOND_NS
from myquant.session.runner import EVENT_WORDS, Runner, words_of
from myquant.session.standing import bare_ns
from myquant.session.telemetry import Telemeter
from myquant.session.telling import TELL_ALL, Untold

if TYPE_CHECKING:
    from myquant.session.pipeline import Pipeline

ALL: Final = -1
LAST_ROWS: Final = 4096  # with fewer rows left and no disk, positions are closed while there is room to say so
PRIME_NS: Final = SECOND_NS // 1000
USED: Final = (TICKED, QUOTED)
DECODED: Final = EVENT_WORDS + Origin._fields.index("decoded_ns")  # a place in an input's words
SPENT: Final = EVENT_WORDS + Origin._fields.index("spent_ns")

ALL_CONNECTIONS: Final = 0  # has a say in the feed's health, beside the connections from 1
HELD: Final = -1  # likewise

# Codes of TROUBLE notes.
JOURNAL_TROUBLE: Final = 1
SNAPSHOT_TROUBLE: Final = 2


class Supervisor:
    """One session at work.

    Attributes:
        stopping: the exit code with which the session is to leave, once it is asked to.
        closing: whether positions are to be closed before it leaves, while the journal has room to say so.
        hurries: a person has asked twice: nothing is waited for.
        halted_ns: when entries were halted last, by the reason; the machine's clock.
        untold: the commands of which people are still to be told.
        errors: what was logged as an error; of the log, where it keeps that.
        later: calls what it is given once there is time for it: what comes next from the feed goes before lines of the log.
        pipeline: what is done around each decision; None: nothing.
        heed: takes new commands once their orders have left.
        each_second: called once a second, with the house.
        look_on: takes the words of each tick and quote that the engine has taken.
        durable_orders: whether the journal is made durable before orders leave.
        notes: writes what the session says of itself into the journal.
        telemetry: gathers what is journaled once a second of how the process does.
        prime: takes the instrument of such an input, once a millisecond at most: goes the way that its order would go.
    """

    def __init__(
        self,
        runner: Runner,
        journal: JournalWriter,
        decoders: Sequence[Decoder],
        clock: Clock,
        exchange_clock: ExchangeClock,
        log: Log,
        *,
        save: Callable[[], None],
        snapshot_interval_ns: int,
        durable_orders: bool,
        pipeline: "Pipeline | None" = None,
    ) -> None:
        self.runner = runner
        self.journal = journal
        self.decoders = decoders
        self.clock = clock
        self._wall_ns, self._monotonic_ns = clock.wall_ns, clock.monotonic_ns
        self.exchange_clock = exchange_clock
        self.log = log
        self.feed = Feed(since_ns=clock.wall_ns())
        self.stopping: int | None = None
        self.closing = False
        self.hurries = False
        self.errors = Errors()
        self.halted_ns: dict[int, int] = {}
        self._asks = 0
        self.frames = 0
        self.last_error: tuple[int, str] | None = None
        self.later: Later = at_once
        self.pipeline = pipeline
        self.heed: Callable[[list[Command]], None] = _nothing
        self.each_second: list[Callable[[], None]] = []
        self.look_on: Callable[[Any], None] | None = None
        self.prime: Callable[[int], None] | None = None
        self._prime_ns = 0
        self.untold = Untold(runner.engine, decisions=pipeline is not None and pipeline.lines is not None)
        self._save = save
        self._snapshot_interval_ns = snapshot_interval_ns
        self._saved_ns = clock.monotonic_ns()
        self._saved_inputs = runner.engine.inputs
        self.notes = Notes(runner.engine, journal, clock, self._stop_blind)
        self.telemetry = Telemeter(clock)
        self._arrived_ns = self._spent_ns = self._spent_max_ns = 0
        # What each frame of a connection goes through, and where stamps go into its words as plain ints.
        self._ways = [(each.take, each.words, each.words.reshape(-1).data) for each in decoders]
        self._lacks_room = False
        self._lacks_sync = False
        self._is_blind = False  # nothing can be journaled, so nothing is taken any more
        self._connections = 0
        self._counts = self.counts()
        self._feed_use = FeedUse(runner.engine, self._counts)
        for decoder in decoders:
            self._connect(decoder)
        runner.on_commands = self._tell
        self.durable_orders = durable_orders
        if durable_orders:
            runner.before_order = self._make_durable

    def on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        """Take a frame of the feed, straight from the socket."""
        self.frames += 1
        self._arrived_ns = arrived_ns
        decode, words, stamps = self._ways[connection - 1]
        if decode(payload, arrived_ns, self._wall_ns()) in USED and not self._is_blind:
            stamps[DECODED], stamps[SPENT] = self._monotonic_ns(), self._spent_ns
            try:
                self.runner.take_one(words)
            except JournalError as error:
                self._stop_blind(error)
            else:
                if self.pipeline is not None:
                    self.pipeline.take(words)
                if self.look_on is not None:
                    self.look_on(words[0])
                spent_ns = self._spent_ns = self._monotonic_ns() - arrived_ns
                if spent_ns > self._spent_max_ns:  # noqa: PLR1730  (a call would take longer)
                    self._spent_max_ns = spent_ns
                if self.prime is not None and arrived_ns >= self._prime_ns:
                    self._prime_ns = arrived_ns + PRIME_NS
                    self.prime(int(words[0, 1]))

    def on_status(self, connection: int, healthy: bool, reason: str) -> None:
        """Take what became of a connection."""
        self.exchange_clock.now_ns()  # while the connection's clock is known: it is carried on from here
        if not healthy:
            self._connect(self.decoders[connection - 1])
        self._heed(connection, healthy, reason)

    def _heed(self, connection: int, healthy: bool, reason: str) -> None:
        """Let the engine know when the feed's health changes. It is healthy when all that has a say in it is."""
        feed = self.feed
        feed.healthy[connection] = healthy
        self.notes.add(record.FEED, int(not healthy), connection)
        said = self.log.info if healthy or reason == feed.reason else self.log.warning
        said("feed", connection=connection, healthy=healthy, reason=reason)
        stale = not all(feed.healthy.values())
        if stale:
            feed.reason = reason
        if stale != feed.stale:
            feed.stale, feed.since_ns = stale, self.clock.wall_ns()
            self.event(codes.FEED_STATUS, codes.FEED_IS_STALE if stale else codes.FEED_HEALTHY)

    def _look_for_use(self) -> None:
        """Take a feed for stale that sends, and nothing of it can be used, second after second."""
        useless = self._feed_use.look(self.counts())
        if bool(useless) == self.feed.healthy.get(ALL_CONNECTIONS, True):
            self._heed(ALL_CONNECTIONS, not useless, useless or "of use again")

    def _connect(self, decoder: Decoder) -> None:
        """Tell a decoder that what comes next is of a new connection."""
        self._connections += 1
        decoder.connect(self._connections)

    def counts(self) -> np.ndarray[Any, Any]:
        """Return what the feed did not use, by reason (`brokers.packets.REASON_NAMES`)."""
        return np.asarray(np.sum([decoder.counts for decoder in self.decoders], axis=0))

    def start(self) -> None:
        """Begin: no entries until the feed is there."""
        self.event(codes.FEED_STATUS, codes.FEED_IS_STALE)

    def hold(self, why: str) -> None:
        """Let nothing be entered until `release`, as if the feed were stale."""
        self.feed.healthy[HELD], self.feed.reason = False, why

    def release(self) -> None:
        """Let a healthy feed lead to entries."""
        self._heed(HELD, True, "released")

    def ask_to_stop(self) -> None:
        """Ask whoever runs the session to end it; a second time, at once."""
        self._asks += 1
        self.hurries = self._asks > 1
        if self.stopping is None:
            self.stopping = 0

    def event(self, kind: int, code: int = 0) -> None:
        """Let the engine take an event of the session's own, for all instruments, now."""
        words = words_of(self._event(kind, code))
        if kind == codes.TIMER:  # what the last packet took, where no other has come since to say so
            words[0, SPENT], self._spent_ns = self._spent_ns, 0
        self._take(words, 1)

    def take(self, event: Event) -> None:
        """Let the engine take an event from outside, now."""
        if not self._is_blind:
            self._take(words_of(event), 1)

    def note_override(self, what: int, number: int) -> None:
        """Journal that a person has overridden a refusal: which (`record.NO_REHEARSAL`), and a number that names his reason."""
        self.notes.add(record.OVERRIDE, what, 0, number)

    def _event(self, kind: int, code: int) -> Event:
        now, wall = self.exchange_clock.now_ns(), self.clock.wall_ns()
        return Event(kind, ALL, 0, now, wall, 0, 0, 0, 0, 0, 0, 0, code)

    def _take(self, words: np.ndarray[Any, Any], count: int) -> None:
        try:
            self.runner.take(words, count)
        except JournalError as error:
            self._stop_blind(error)

    def on_timer(self) -> None:
        """Do what is due once a second: a timer event, and the house."""
        self.event(codes.TIMER)
        self.keep_house()

    def keep_house(self) -> None:
        """Do what is due once a second beside deciding: the beat, room in the journal, a snapshot, garbage."""
        now = self.clock.monotonic_ns()
        engine = self.runner.engine
        values = (self.frames, engine.inputs, int(engine.desk[0]["account"]["commands"]), self._arrived_ns)
        self.notes.add(
            record.BEAT, int(self.feed.stale), 0, *values, self.journal.rows_left(), self.exchange_clock.now_ns()
        )
        self._note_counts()
        self._note_telemetry()
        self._look_for_use()
        self._keep_room()
        if now - self._saved_ns >= self._snapshot_interval_ns and engine.inputs > self._saved_inputs:
            self.save()
        if self.pipeline is not None:
            self.pipeline.on_timer()
        for call in self.each_second:
            call()
        self.telemetry.use_gap(self._arrived_ns)

    def _note_telemetry(self) -> None:
        """Journal how the process does, how the account stands and what is held."""
        spent_max_ns, self._spent_max_ns = self._spent_max_ns, 0
        bare = bare_ns(self.runner.engine, self.exchange_clock.now_ns())
        self.notes.add(record.TELEMETRY, 0, 0, *self.telemetry.take(spent_max_ns=spent_max_ns, bare_ns=bare))
        self.notes.account()
        self.notes.holdings()

    def save(self) -> None:
        """Put the state on disk; a failure is told and tried again with the next snapshot.

        Once something could not be journaled, the state may be ahead of the journal, and only the journal counts.
        """
        if self._is_blind:
            return
        self._saved_ns, self._saved_inputs = self.clock.monotonic_ns(), self.runner.engine.inputs
        try:
            self._save()
        except JournalError as error:
            self._trouble(SNAPSHOT_TROUBLE, error)

    def _note_counts(self) -> None:
        """Journal what the feed did not use, whenever that has changed."""
        counts = self.counts()
        if (counts != self._counts).any():
            self._counts = counts
            for first in range(0, len(counts), NOTE_VALUES):
                self.notes.add(record.COUNTS, first, 0, *counts[first : first + NOTE_VALUES].tolist())

    def _keep_room(self) -> None:
        """Allocate the journal's next segment; when that fails entries halt, and near the end positions are closed."""
        try:
            self.journal.reserve()
        except JournalError as error:
            if not self._lacks_room or self._may_enter():
                self._lacks_room = True
                self._trouble(JOURNAL_TROUBLE, error)
                self.event(codes.ALARM, codes.BY_JOURNAL)
            if self.journal.rows_left() < LAST_ROWS and self.stopping is None:
                self.event(codes.OPERATOR, codes.ASK_FLATTEN)
                self.stopping, self.closing = error.exit_code, True
        else:
            if self._lacks_room:
                self._lacks_room = False
                self.log.warning("the journal has room again; entries wait for `myquant resume`")

    def _make_durable(self) -> bool:
        """Make the journal durable before orders leave; False where that fails, for then it does for good."""
        try:
            self.journal.sync()
        except JournalError as error:
            if not self._lacks_sync or self._may_enter():
                self._lacks_sync = True
                self._trouble(JOURNAL_TROUBLE, error)
                self.runner.take_later(self._event(codes.ALARM, codes.BY_JOURNAL))
            return False
        return True

    def _may_enter(self) -> bool:
        """Return whether nothing halts entries: someone has resumed them, though what had halted them goes on."""
        account: Any = self.runner.engine.desk[0]["account"]
        return bool(account["halt"] == codes.NOT_HALTED)

    def note_error(self, event: str, error: Exception) -> None:
        """Log an error and keep it for the operator."""
        self.tell_waiting()
        self.last_error = self.clock.wall_ns(), str(error)
        self.log.error(event, error=str(error))

    def _stop_blind(self, error: JournalError) -> None:
        """Leave: what can't be journaled must not be acted on."""
        if not self._is_blind:
            self._is_blind = True
            self.note_error("the journal is full: the session stops", error)
            self.stopping = error.exit_code

    def _trouble(self, code: int, error: JournalError) -> None:
        self.note_error("trouble", error)
        self.notes.add(record.TROUBLE, code, 0)

    def started(self, pid: int) -> None:
        """Journal that a process begins or goes on with the session."""
        engine = self.runner.engine
        self.notes.add(record.STARTED, 0, 0, pid, engine.inputs, int(engine.desk[0]["account"]["commands"]))

    def stopped(self, exit_code: int) -> None:
        """Journal that the process leaves the session."""
        self._note_counts()  # what came after the last timer
        self.notes.account()  # with what the end of the day has closed
        self.notes.add(record.STOPPED, exit_code, 0)

    def _tell(self, commands: list[Command]) -> None:
        """Have logged, later, what a person wants to know of new commands: positions, trades, halts; the journal has all."""
        if self.pipeline is not None:
            self.pipeline.decide(commands)
        self.heed(commands)
        self._tell_people(commands)

    def _tell_people(self, commands: list[Command]) -> None:
        for command in commands:
            if command.kind == codes.HALTED:
                self.halted_ns[command.reason] = self.clock.wall_ns()
            if self.untold.take(command):
                if command.kind == codes.HALTED:
                    self.tell_waiting()
                elif len(self.untold) == 1:
                    self.later(self._tell_next)

    def tell_waiting(self) -> None:
        """Log all that is still to be told, so that a line that must not wait comes behind it."""
        self.untold.tell(self.log, len(self.untold))

    def put_off(self, later: Later) -> None:
        """Let `later` do what can wait, from now on: lines of a log that takes its time, batches of rows."""
        if self.pipeline is not None:
            self.pipeline.put_off(later)
        if self.pipeline is None or self.pipeline.log.waits:
            self.later = later

    def tell_at_once(self) -> None:
        """Log what is still to be told, and from now on put nothing off."""
        self.put_off(at_once)
        self.tell_waiting()

    def _tell_next(self) -> None:
        """Log one line, more where many wait: each takes 0.1 ms from a session at work."""
        if len(self.untold) > 1:
            self.later(self._tell_next)
        self.untold.tell(self.log, -(-len(self.untold) // TELL_ALL))


def _nothing(_commands: list[Command]) -> None:
    """Do nothing."""
