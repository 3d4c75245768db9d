"""A journal by hand, as rows in memory."""

from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.execution.lives import Lives
from myquant.journal.record import COMMAND, INPUT, NOTE, NOTE_VALUES, SENT, SENT_SUBMIT, STARTED, WORDS, Origin, Sent
from myquant.journal.segment import Rows

SECOND_NS = 10**9
MS = 10**6
BEGAN_NS = 1_759_463_100 * SECOND_NS  # 2025-10-03 03:45 UTC
BOOT_NS = 5_000 * SECOND_NS  # the monotonic clock then


class Made:
    """Records, one behind the other; times: seconds after the beginning."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.sequence = -1
        self.boot_ns = BOOT_NS

    def add(self, holds: int, body: list[int]) -> None:
        row = [0, len(self.rows) + 1, holds, *body]
        self.rows.append(row + [0] * (WORDS - len(row)))

    def event(self, kind: int, at_s: float, *, is_packet: bool = False, **fields: int) -> None:
        """Add an input; one that is a packet has stamps of the monotonic clock, 1 ms apart."""
        self.sequence += 1
        wall_ns = BEGAN_NS + round(at_s * SECOND_NS)
        mono_ns = self.boot_ns + round(at_s * SECOND_NS)
        blank = dict.fromkeys(Event._fields, 0)
        of = {"kind": kind, "sequence": self.sequence, "time_ns": wall_ns, "receive_ns": wall_ns}
        stamps = (mono_ns, mono_ns + MS) if is_packet else (0, 0)
        self.add(INPUT, [*Event(**(blank | of | fields)), *stamps, *[0] * (len(Origin._fields) - 2)])

    def tick(self, at_s: float, price: int, bid: int = 0, ask: int = 0, instrument: int = 0) -> None:
        self.event(codes.TICK, at_s, is_packet=True, price=price, bid=bid, ask=ask, instrument=instrument)

    def command(self, kind: int, at_s: float, **fields: int) -> None:
        blank = dict.fromkeys(Command._fields, 0)
        of = {"kind": kind, "event_sequence": self.sequence, "time_ns": BEGAN_NS + round(at_s * SECOND_NS)}
        self.add(COMMAND, [*Command(**(blank | of | fields))])

    def submit(self, at_s: float, order_id: int, side: int = codes.BUY, **fields: int) -> None:
        of: dict[str, Any] = {"quantity": 75, "price": 10_000, **fields}
        self.command(codes.SUBMIT, at_s, order_id=order_id, side=side, **of)

    def fill(self, at_s: float, order_id: int, units: int, price: int, **fields: int) -> None:
        of = {"order_id": order_id, "quantity": units, "value": units * price, **fields}
        self.event(codes.FILL, at_s, is_packet=False, **of)

    def left(self, at_s: float, order_id: int, *, code: int = SENT_SUBMIT, part: int = 1, noted_s: float = 0.0) -> None:
        """Note that a slice of an order left, `noted_s` later; each but the first of two has waited for 6 ms."""
        behind_ns = round((at_s + noted_s) * SECOND_NS)
        values = Sent(order_id, self.boot_ns + round(at_s * SECOND_NS), (part - 1) * 6 * MS, part, 2, 75, 10_100, 0, 0)
        padded = [*values, *[0] * (NOTE_VALUES - len(values))]
        self.add(NOTE, [SENT, code, 0, BEGAN_NS + behind_ns, self.boot_ns + behind_ns, *padded])

    def begun(self, at_s: float, *, up_s: float | None = None) -> None:
        """Note that a process begins, on a machine that was started so many seconds before; None: it runs on."""
        behind_ns = round(at_s * SECOND_NS)
        if up_s is not None:
            self.boot_ns = round(up_s * SECOND_NS) - behind_ns
        self.add(NOTE, [STARTED, 0, 0, BEGAN_NS + behind_ns, self.boot_ns + behind_ns, *[0] * NOTE_VALUES])

    def block(self) -> Rows:
        return np.array(self.rows, np.int64)

    def take_into(self, lives: Lives) -> Lives:
        lives.take(self.block())
        return lives
