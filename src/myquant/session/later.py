"""Work that can wait: who has it hands it to a `Later`, which calls it when there is time for it."""

from collections.abc import Callable

Later = Callable[[Callable[[], None]], object]


def at_once(call: Callable[[], None]) -> None:
    """Call it now: a `Later` for those who have no loop."""
    call()
