"""A progress bar on stderr for work that lasts, and none where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Final

PATIENCE_S: Final = 1.0


@contextmanager
def progress_bar(text: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Yield a function to be told how much of `total` is done; the bar shows after a second, and only in a terminal."""
    if quiet or not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(text, total=total)
    shown_from_s = monotonic() + PATIENCE_S
    with ExitStack() as stack:

        def tell(done: int) -> None:
            if not bar.live.is_started and monotonic() >= shown_from_s:
                stack.enter_context(bar)
            bar.update(task, completed=done)

        yield tell


def _ignore(_done: int) -> None:
    """Take what nobody wants to see."""
