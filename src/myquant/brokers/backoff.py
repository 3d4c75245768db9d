"""How long to wait before the next attempt: exponential, with full jitter."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

_DOUBLINGS_MAX: Final = 32


@dataclass
class Backoff:
    """The waits between attempts at one thing.

    Each is drawn evenly from 0 to a bound that doubles with every attempt, from `base_s` up to `cap_s`, so that many
    clients that failed together do not come back together.
    """

    base_s: float
    cap_s: float
    rng: Random = field(default_factory=Random)
    attempts: int = 0

    def next_s(self, at_least_s: float = 0.0) -> float:
        """Return the next wait; never shorter than `at_least_s`, on which the jitter is put."""
        bound = min(self.cap_s, self.base_s * 2.0 ** min(self.attempts, _DOUBLINGS_MAX))
        self.attempts += 1
        return at_least_s + self.rng.uniform(0.0, bound)

    def reset(self, attempts: int = 0) -> None:
        """Go back to the waits after `attempts` attempts, if there were more."""
        self.attempts = min(self.attempts, attempts)
