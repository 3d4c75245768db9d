"""Rules on the monitor itself, and on what is not there."""

from collections.abc import Iterator
from typing import Final

from myquant.monitor.faults import CALM_NS, Fault, Look, told_s

KEEP_FOLDER: Final = "see what removes files there or keeps them from being written; MYQUANT_STATE names another folder"
LATE_NS: Final = 2 * 10**9  # from one look to the next, at most: so soon a death is noticed
STEP_NS: Final = 60 * 10**9  # by so much the two clocks may drift apart from one look to the next


def session_missing(look: Look) -> Iterator[Fault]:
    """Find sessions that should have begun."""
    if look.around.expected is not None:
        by = look.settings.expect_by
        for pattern, note, since_ns in look.around.expected.missing(look.views, look.wall_ns):
            what = "no session" if pattern == "*" else f"no session {pattern}"
            yield Fault(f"{what} has begun by {by}{note}", since_ns, subject=pattern)


def unreadable(look: Look) -> Iterator[Fault]:
    """Find folders that can't be read."""
    for name, why in look.around.unreadable.items():
        yield Fault(f"{name} can't be read: {why}", subject=name)


def channel_down(look: Look) -> Iterator[Fault]:
    """Find channels that deliver nothing."""
    for name, (since_ns, why) in look.around.down.items():
        yield Fault(f"channel {name} delivers nothing: {why}", since_ns, subject=name)


def heartbeat_failed(look: Look) -> Iterator[Fault]:
    """Find an outgoing heartbeat that does not arrive."""
    if look.around.heartbeat is not None:
        since_ns, why = look.around.heartbeat
        yield Fault(f"the outgoing heartbeat fails: {why}", since_ns)


def spool_failed(look: Look) -> Iterator[Fault]:
    """Find alerts and messages that can't be kept on the disk, and a state folder that somebody has removed or replaced."""
    if look.around.spool is not None:
        since_ns, why = look.around.spool
        yield Fault(f"what there is to tell may be kept in memory only: {why}", since_ns)
    if look.around.folder is not None:
        since_ns, what = look.around.folder
        yield Fault(what, since_ns, subject="folder", remedy=KEEP_FOLDER)


def pages_down(look: Look) -> Iterator[Fault]:
    """Find pages that nobody serves."""
    if look.around.pages is not None:
        since_ns, why = look.around.pages
        yield Fault(f"the pages can't be seen: their process ended ({why})", since_ns)


def monitor_late(look: Look) -> Iterator[Fault]:
    """Find looks that come late, and a machine that slept or whose clock was set: each for a minute after the last one."""
    memory = look.memory
    if memory.looked_mono_ns is not None and memory.looked_wall_ns is not None:
        gap_ns = look.mono_ns - memory.looked_mono_ns
        if gap_ns >= max(LATE_NS, int(4 * look.settings.look_s * 10**9)):
            memory.late_ns, memory.was_late_mono_ns = gap_ns, look.mono_ns
        step_ns = (
            look.wall_ns - memory.looked_wall_ns - gap_ns
        )  # the monotonic clock stands still while a machine sleeps
        if abs(step_ns) >= STEP_NS:
            memory.stepped_ns, memory.has_stepped_mono_ns = step_ns, look.mono_ns
    memory.looked_mono_ns, memory.looked_wall_ns = look.mono_ns, look.wall_ns
    if _is_recent(memory.was_late_mono_ns, look):
        yield Fault(
            f"{look.around.who} looked at nothing for {told_s(memory.late_ns)}: this machine is overloaded, or slept"
        )
    if _is_recent(memory.has_stepped_mono_ns, look):
        step_ns = memory.stepped_ns
        what = (
            "this machine slept, or its clock was set forward," if step_ns > 0 else "this machine's clock was set back"
        )
        yield Fault(f"{what} by {told_s(abs(step_ns))}: meanwhile nobody looked, or times are wrong", subject="clock")


def _is_recent(mono_ns: int | None, look: Look) -> bool:
    return mono_ns is not None and look.mono_ns - mono_ns < CALM_NS
