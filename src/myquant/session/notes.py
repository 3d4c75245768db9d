"""What a session journals of itself beside inputs and decisions: its notes."""

from collections.abc import Callable

from myquant.errors import JournalError
from myquant.journal import record
from myquant.journal.record import NOTE, NOTE_VALUES, Note, Sent
from myquant.journal.writer import JournalWriter
from myquant.session.clock import Clock
from myquant.session.engine import Engine
from myquant.session.standing import halted_code, holdings_of, ledger_of


class Notes:
    """Writes the notes of one session.

    Args:
        on_full: takes the journal's refusal where it has no room; the session goes on without the note.
    """

    def __init__(
        self, engine: Engine, journal: JournalWriter, clock: Clock, on_full: Callable[[JournalError], None]
    ) -> None:
        self._engine, self._journal, self._clock, self._on_full = engine, journal, clock, on_full

    def add(self, kind: int, code: int, number: int, *values: int) -> None:
        """Journal a note: kind and code as of `journal.record`, the number of what it is about, at most NOTE_VALUES values."""
        padded = (*values, *[0] * (NOTE_VALUES - len(values)))
        note = Note(kind, code, number, self._clock.wall_ns(), self._clock.monotonic_ns(), padded)  # type: ignore[arg-type]
        try:
            self._journal.append(NOTE, note)
        except JournalError as error:
            self._on_full(error)

    def account(self) -> None:
        """Journal how the account stands."""
        account = self._engine.account()
        self.add(record.LEDGER, halted_code(account), 0, *ledger_of(self._engine, account))

    def holdings(self) -> None:
        """Journal what each instrument holds that holds something."""
        for who, holding in holdings_of(self._engine):
            self.add(record.POSITION, 0, who, *holding)

    def sent(self, code: int, instrument: int, sent: Sent) -> None:
        """Journal that a request about an order has left for the broker. `code`: which (`record.SENT_NAMES`)."""
        self.add(record.SENT, code, instrument, *sent)
