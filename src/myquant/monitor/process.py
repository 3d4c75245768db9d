"""A session's process as the system shows it: whether it lives, is stopped, and what it and its children take.

Nothing is sent to it. A descriptor of the process (pidfd) tells of its death at once and never means another one, as a number may.
"""

import errno
import json
import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from myquant.monitor.view import ProcessView
from myquant.session.operator import CARD

SECOND_NS: Final = 1_000_000_000
STARTED_BEHIND_NS: Final = (
    2 * SECOND_NS
)  # a process that began so much after its note is another one: clocks are read coarsely
SESSION: Final = "session"
COMPONENTS: Final = {"myquant.session.log_writer": "log writer", "myquant.session.reader": "feed reader"}
OTHER: Final = "other"
_STOPPED: Final = frozenset("Tt")
_DEAD: Final = frozenset("ZX")
_PROC: Final = Path("/proc")


class ProcessStat(NamedTuple):
    """What /proc/PID/stat says."""

    state: str  # one letter
    started_ns: int  # wall clock


def process_stat(pid: int, proc: Path = _PROC) -> ProcessStat | None:
    """Return how a process stands; None: there is none."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        uptime_s = float((proc / "uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    fields = text.rpartition(")")[2].split()  # a name may hold spaces and brackets
    began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # since boot
    return ProcessStat(fields[0], time.time_ns() - int((uptime_s - began_s) * SECOND_NS))


def lost_start(folder: Path) -> ProcessView | None:
    """Return the process that the card in a session's folder names, by when it was put, where that is gone; None: it is not.

    One that leaves takes its card away; one that is killed leaves it.
    """
    try:
        pid = int(json.loads((folder / CARD).read_bytes())["pid"])
        put_ns = (folder / CARD).stat().st_mtime_ns
        process = ProcessView(pid, put_ns, is_alive=False)
        descriptor = _open(process)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if descriptor >= 0:
        os.close(descriptor)
        return None
    return process


class ProcessWatch:
    """Watches the process of a session."""

    def __init__(self, process: ProcessView) -> None:
        self.process = process
        self._descriptor = _open(process)
        self._poll = select.poll()
        if self._descriptor >= 0:
            self._poll.register(self._descriptor, select.POLLIN)

    def look(self) -> bool:
        """Note how the process stands, and return whether it lives."""
        process = self.process
        if self._descriptor < 0 or self._poll.poll(0):
            self.close()
            process.is_alive = process.is_stopped = False
            return False
        stat = process_stat(process.pid)
        process.is_alive = stat is None or stat.state not in _DEAD
        process.is_stopped = stat is not None and stat.state in _STOPPED
        return process.is_alive

    def weigh(self) -> None:
        """Note what it and its children take: processor time and memory."""
        process = self.process
        if self._descriptor < 0:
            return
        with suppress(psutil.Error, OSError):
            whole = psutil.Process(process.pid)
            parts = [(SESSION, whole), *((_component(child), child) for child in whole.children(recursive=True))]
            cpu: dict[str, float] = {}
            memory: dict[str, int] = {}
            for name, part in parts:
                with suppress(psutil.Error, OSError):  # gone meanwhile
                    times = part.cpu_times()
                    cpu[name] = cpu.get(name, 0.0) + times.user + times.system
                    memory[name] = memory.get(name, 0) + part.memory_info().rss
            process.cpu_s, process.rss_bytes = cpu, memory

    def close(self) -> None:
        """Let go of the process."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _open(process: ProcessView) -> int:
    """Return a descriptor of the process that wrote its note then; -1: it is gone, whoever has its number now."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (ProcessLookupError, ValueError, OverflowError):
        return -1
    except OSError as error:
        if error.errno == errno.EINVAL:  # a number that no process has
            return -1
        raise
    stat = process_stat(process.pid)  # after the descriptor: what it says is of that process, or of none
    if stat is not None and (stat.state in _DEAD or _is_another(process, stat)):
        os.close(descriptor)
        return -1
    return descriptor


def _is_another(process: ProcessView, stat: ProcessStat) -> bool:
    """Whether a process began after the note of the one that is meant, by the monotonic clock: the other one may be set."""
    if process.started_mono_ns is None:
        return stat.started_ns > process.started_wall_ns + STARTED_BEHIND_NS
    note_age_ns = time.monotonic_ns() - process.started_mono_ns  # below 0: the machine was started again since
    began_ago_ns = time.time_ns() - stat.started_ns
    return note_age_ns < 0 or began_ago_ns + STARTED_BEHIND_NS < note_age_ns


def _component(child: psutil.Process) -> str:
    with suppress(psutil.Error, OSError):
        words = child.cmdline()
        return next((COMPONENTS[word] for word in words if word in COMPONENTS), OTHER)
    return OTHER
