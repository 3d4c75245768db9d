"""Clocks for tests: one that is told the time, and work of a known length."""

import time


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now_ns: int = 1_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, ns: int) -> None:
        self.now_ns += ns


def spin(ns: int) -> int:
    """Keep the processor busy so long; return how long it was in fact."""
    begun = time.monotonic_ns()
    while (now := time.monotonic_ns()) - begun < ns:
        pass
    return now - begun
