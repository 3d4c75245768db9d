"""Who else was on the machine while we measured: busy neighbours slow us down by more than the time they take.

Virtual cores are often the two threads of one real core. Code that waits for its own results (a chain of averages) is then
hardly slower beside a busy neighbour; code that keeps the core busy takes up to twice as long. So a ratio of the two
is only worth something from a quiet machine.
"""

import os
from pathlib import Path
from time import perf_counter

STAT = Path("/proc/stat")
QUIET_PERCENT = 5.0


class Company:
    """Watches from when it is made until it is asked."""

    def __init__(self) -> None:
        self._began = perf_counter()
        self._before = _busy_s()

    def seen(self) -> list[str]:
        """Return what other processes took of the machine meanwhile, in words; nothing where the system does not tell."""
        after = _busy_s()
        if self._before is None or after is None:
            return []
        machine_s = (perf_counter() - self._began) * (os.cpu_count() or 1)
        percent = 100 * max(0.0, after - self._before) / machine_s
        warning = "" if percent < QUIET_PERCENT else ": NOT a quiet machine, measure again"
        return [f"other processes took {percent:.0f} % of the machine meanwhile{warning}"]


def _busy_s() -> float | None:
    """Return the processor seconds of all processes but ours and our children, since the machine started."""
    if not STAT.is_file():
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, STAT.read_text(encoding="ascii").split()[1:9])
    ours = os.times()
    busy_s = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy_s - (ours.user + ours.system + ours.children_user + ours.children_system)
