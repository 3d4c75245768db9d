"""Becomes a command whose life is tied to the process that began it: `python -m myquant.monitor.tied PARENT COMMAND...`.

The command gets SIGTERM as soon as its parent is gone, however that went; it need not know of it.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

SET_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of prctl(2); it outlasts exec


def tied(command: Sequence[str]) -> list[str]:
    """Return the words that begin a command which ends with this process. It must be begun by a thread that lasts: the first."""
    return [sys.executable, "-P", "-m", "myquant.monitor.tied", str(os.getpid()), *command]


def become(parent: int, command: list[str]) -> None:
    """Become a command that ends with a process, its parent; do nothing where that is gone already."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a command inherits what is ignored and what is blocked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    ctypes.CDLL(None, use_errno=True).prctl(SET_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() == parent:  # else it has ended before the line above
        os.execvp(command[0], command)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
