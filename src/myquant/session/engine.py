"""An engine in memory: its records, the outbox and the day book. What is true of every wiring, and of none in particular."""

from collections.abc import Callable, Mapping
from datetime import date
from struct import Struct
from typing import Any, Final

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.core import codes
from myquant.core.compiled import direct
from myquant.core.layout import dtype_of
from myquant.core.records import Account, Command, Event
from myquant.errors import DataError
from myquant.session.rules import DayRules, core_rules, day_rules, local_date, paise
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import InstrumentName, TickBatch

OUTBOX: Final = 1 << 12  # commands; a power of two
COMMAND_WORDS: Final = len(Command._fields)
COMMAND_BYTES: Final = 8 * COMMAND_WORDS
_GET_COMMAND: Final = Struct(f"={COMMAND_WORDS}q").unpack_from


class Engine:
    """One account and its instruments, driven by batches of ticks or by single events.

    Attributes:
        desk: one record with the fields account, rules, params.
        instruments: one record per instrument.
        days: the prepared day of each instrument.
        book_symbol: the symbol whose contract holds for all instruments; None: each has its own.
        date_of: from a time in ns to its calendar date.
        listed: lot size and tick size (paise) of an instrument as its broker lists it, by its number; where the contract book
            has others, these hold.
        commands: the outbox, a ring; command number k (from 1) is at place (k - 1) modulo its length.
        command_words: the same as int64, a row each: copied in a tenth of the time.
        emitted: at place 0, how many commands there were so far; drained: how many of them were handed over.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        strategy: LoadedStrategy,
        names: tuple[InstrumentName, ...],
        *,
        symbols_are_labels: bool = False,
    ) -> None:
        self.loaded = loaded
        self.strategy = strategy
        self.names = names
        self.drive = strategy.drive
        self.book_symbol = loaded.config.instrument.symbol if symbols_are_labels else None
        self.date_of = local_date(loaded.config.session.timezone)
        self.listed: Mapping[int, tuple[int, int]] = {}
        self.day_rules: dict[tuple[int, date], DayRules] = {}
        self.desk = np.zeros(1, strategy.desk_dtype())
        self.instruments = np.zeros(len(names), strategy.instrument_dtype())
        self.days = np.zeros(len(names), self.instruments.dtype["day"])
        self.commands = np.zeros(OUTBOX, dtype_of(Command))
        self.command_words = self.commands.view(np.int64).reshape(OUTBOX, COMMAND_WORDS)
        self._command_bytes = self.command_words.reshape(-1).data.cast("B")
        self.inputs = 0  # events taken so far
        self._event = np.zeros(1, dtype_of(Event))
        self._step: Callable[..., Any] | None = None
        self._direct_run: Callable[..., Any] | None = None
        self.drained = 0
        self.emitted = self.desk["account"]["commands"].data  # a plain int, read faster than NumPy's
        self._set_up()

    def _set_up(self) -> None:
        config = self.loaded.config
        cash = paise(config.capital.initial_capital)
        account = self.desk[0]["account"]
        account["cash"] = account["peak_equity"] = account["day_start_equity"] = cash
        account["day_end_ns"] = codes.BEFORE_ALL
        self.desk[0]["rules"] = core_rules(config, strategy_has_stop=self.strategy.has_stop)
        section = config.strategy if self.strategy.model is None else self.loaded.sections[self.strategy.section]
        self.desk[0]["params"] = self.strategy.parameters(dict(section))
        for record in self.instruments:
            tape = record["core"]["tape"]
            tape["last_ns"] = tape["day_end_ns"] = tape["wake_ns"] = codes.BEFORE_ALL
            record["strategy"] = self.strategy.first_state

    def prepare_day(self, who: int, time_ns: int) -> None:
        """Make the rules of the day that holds a time known to an instrument; errors as `rules.day_rules`."""
        on = self.date_of(time_ns)
        name = self.names[who]
        listed = self.listed.get(who)
        found = day_rules(self.loaded, self.book_symbol or name.symbol, name.exchange, on, listed)
        self.day_rules[who, on] = found
        self.days[who] = found.day

    def run(self, batch: TickBatch, on_commands: Callable[[np.ndarray], None]) -> None:
        """Run a batch against the instant exchange, handing every command over in order."""
        drive = self.drive
        columns = drive.Columns(batch.time_ns, batch.price, batch.volume, batch.bid, batch.ask, batch.instrument)
        at, count = 0, len(batch)
        try:
            while (at := self._run(columns, at, drive.GOES_ON)) < count:
                if self.emitted[0] < self._full():
                    self.prepare_day(int(batch.instrument[at]) if len(batch.instrument) else 0, int(batch.time_ns[at]))
                else:
                    self.drain(on_commands)
        finally:  # what was decided before an error is handed over all the same
            self.drain(on_commands)
        self.inputs += count

    def step(self, event: Event, on_commands: Callable[[np.ndarray], None]) -> None:
        """Take one event; a tick's day is prepared first where it is new."""
        if (
            event.kind == codes.TICK
            and event.time_ns >= self.instruments[event.instrument]["core"]["tape"]["day_end_ns"]
        ):
            self._prepare_if_new(event)
        self._event[0] = event
        self.step_at(self._event, 0)
        self.drain(on_commands)

    def step_at(self, events: np.ndarray, at: int) -> int:
        """Take `events[at]`, an array of `Event` records, with nothing prepared or drained; see `drive.step`."""
        if self._step is None:
            arrays = (self.desk, self.instruments, self.days, events, at, self.commands)
            self._step = direct(self.drive.step, *arrays)
        self.inputs += 1
        return self._step(self.desk, self.instruments, self.days, events, at, self.commands)  # type: ignore[no-any-return]

    def _prepare_if_new(self, event: Event) -> None:
        day = self.days[event.instrument]
        usable = event.price > 0 and event.volume >= 0 and event.time_ns != codes.NO_TIME
        if usable and not day["start_ns"] <= event.time_ns < day["end_ns"]:
            self.prepare_day(event.instrument, event.time_ns)

    def _run(self, columns: Any, begin: int, ending: int) -> int:
        """Call the compiled `drive.run`."""
        arguments = (columns, begin, self.inputs, ending, self._full())
        arrays = (self.desk, self.instruments, self.days, self.commands)
        if self._direct_run is None:
            self._direct_run = direct(self.drive.run, *arguments, *arrays)
        try:
            return self._direct_run(*arguments, *arrays)  # type: ignore[no-any-return]
        except (IndexError, ValueError) as error:  # on ticks, the engine's own code raises neither
            raise self.strategy.failure(error) from error

    def end(self, who: int, code: int, on_commands: Callable[[np.ndarray], None]) -> None:
        """End the data of an instrument: `codes.CLOSE_OPEN` closes what is open, `codes.LAST_MARK` takes a mark."""
        drive = self.drive
        none = drive.Columns(*[np.zeros(0, np.int64)] * len(drive.Columns._fields))
        self._run(none, who, code)
        self.inputs += 1
        self.drain(on_commands)

    def has_news(self) -> bool:
        """Return whether commands have been emitted since they were last handed over."""
        return self.emitted[0] != self.drained

    def drain(self, on_commands: Callable[[np.ndarray], None]) -> None:
        """Hand over the commands emitted since the last time, oldest first."""
        emitted, drained = self.emitted[0], self.drained
        if emitted > drained:
            self.drained = emitted
            first, last = drained % OUTBOX, emitted % OUTBOX
            words = self.command_words
            rows = words[first:last].copy() if first < last else np.concatenate((words[first:], words[:last]))
            on_commands(rows.view(self.commands.dtype).reshape(-1))

    def take_news(self) -> list[Command]:
        """Return the commands emitted since the last time, oldest first: for a few of them in a third of `drain`'s time.

        Raises OverflowError when the ring was too small for them.
        """
        emitted, drained = self.emitted[0], self.drained
        self.drained = emitted
        if emitted == drained:
            return []
        if emitted - drained > OUTBOX:
            raise OverflowError(
                f"one input led to {emitted - drained} commands, of which {OUTBOX} fit: trade fewer instruments"
            )
        return [self._command(number) for number in range(drained, emitted)]

    def latest_command(self) -> Command:
        """Return the command emitted last; all zeros: none was."""
        return self._command(self.emitted[0] - 1)

    def _command(self, number: int) -> Command:
        """Return command `number`, from 0."""
        words = _GET_COMMAND(self._command_bytes, number % OUTBOX * COMMAND_BYTES)
        return tuple.__new__(Command, words)  # `_make` in a third of the time

    def _full(self) -> int:
        """Return the number of commands from which on the outbox has to be drained."""
        return self.drained + OUTBOX - int(self.drive.OUTBOX_MARGIN)

    def account(self) -> Account:
        """Return the account as it stands."""
        return Account._make(self.desk[0]["account"].item())

    def snapshot(self) -> bytes:
        """Return the whole state as bytes: equal bytes, equal state."""
        return self.desk.tobytes() + self.instruments.tobytes()

    def restore(self, snapshot: bytes, inputs: int) -> None:
        """Take up the state that an engine of the same strategy, configuration and instruments had after `inputs` events.

        Raises DataError when the snapshot is of another shape; nothing changes then.
        """
        size = self.desk.nbytes + self.instruments.nbytes
        if len(snapshot) != size:
            raise DataError(
                f"a snapshot of {len(snapshot)} bytes, where this engine's have {size}: it is another engine's"
            )
        self.desk[:] = np.frombuffer(snapshot, self.desk.dtype, 1)
        self.instruments[:] = np.frombuffer(snapshot, self.instruments.dtype, offset=self.desk.nbytes)
        self.inputs = inputs
        self.drained = self.emitted[0]
