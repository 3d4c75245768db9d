"""What has left for the broker, noted in the journal: not before there is time for it, so that no order waits for its note."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from myquant.brokers.port import SentRequest
from myquant.core import codes
from myquant.journal import record
from myquant.journal.record import Sent
from myquant.session.later import Later

ALL: Final = -1
_CODES: Final = {
    codes.SUBMIT: record.SENT_SUBMIT,
    codes.MODIFY: record.SENT_MODIFY,
    codes.CANCEL: record.SENT_CANCEL,
}


class SentNotes:
    """Takes what an order port has written, and notes it later, in order.

    Args:
        who_of: instruments, by the ids of their orders.
        note: journals a note: its code, the instrument, the values.
        later: calls `write` once the packets that wait are taken.
    """

    def __init__(self, who_of: Mapping[int, int], note: Callable[[int, int, Sent], None], later: Later) -> None:
        self._who_of, self._note, self._later = who_of, note, later
        self._waiting: deque[SentRequest] = deque()

    def take(self, sent: SentRequest) -> None:
        """Take something that was written."""
        if not self._waiting:
            self._later(self.write)
        self._waiting.append(sent)

    def write(self) -> None:
        """Note all that waits."""
        while self._waiting:
            sent = self._waiting.popleft()
            kind, order_id, *rest = sent
            self._note(_CODES[kind], self._who_of.get(order_id, ALL), Sent._make([order_id, *map(int, rest)]))
