"""What a session at work needs of others: a log for people, a fence, and a decoder of the feed's frames."""

from typing import Any, Protocol

import numpy as np


class Log(Protocol):
    """Where a session says what happens."""

    def info(self, event: str, **fields: Any) -> None:
        """Say something that is as it should be."""

    def warning(self, event: str, **fields: Any) -> None:
        """Say something that a person should know."""

    def error(self, event: str, **fields: Any) -> None:
        """Say something that a person should act on."""


class Fenced(Protocol):
    """What may shut the way to the broker: `session.fence.Fence`."""

    def holds(self) -> bool:
        """Return whether orders may be sent."""


class Decoder(Protocol):
    """From the frames of one connection to journal inputs; see `brokers.angelone.decode.FrameDecoder`."""

    words: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]

    def take(self, payload: memoryview, arrived_ns: int, wall_ns: int, /) -> int:
        """Decode a frame into the first row of `words`; return what it is (`brokers.packets`)."""

    def connect(self, number: int) -> None:
        """Begin a connection, numbered from 1."""

    def clock(self) -> tuple[int, int]:
        """Return the exchange's time (0: not known), and the monotonic time at which it arrived."""
