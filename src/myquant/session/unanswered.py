"""What to say of a session that listens, and does not answer a person."""

from pathlib import Path


def unanswered(pid: int, doing: str, request: str, timeout_s: float, *, is_delivered: bool) -> str:
    """Return it in a line. `doing`: what keeps the session's loop busy, by its own word; empty: nothing that it knows of."""
    later = "ask again" if request == "status" else f"{request} takes effect then"
    if not is_delivered:
        later = f"too many requests wait for it already, and {request} was not delivered: ask again"
    if doing:
        return f"process {pid} is {doing}: wait; {later}"
    return (
        f"no answer within {timeout_s:g} s: process {pid} is there, but {_why(pid)}; if it goes on: {later};"
        " where its orders go to a broker, `myquant flatten --broker` does without it;"
        f" `kill -KILL {pid}` ends it at once, and its journal keeps everything"
    )


def _why(pid: int) -> str:
    """Return why a process does not answer, as far as the kernel knows: its state in proc_pid_stat(5)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        state = ""
    if state in ("T", "t"):
        return f"it is stopped (SIGSTOP, Ctrl-Z, a debugger): `kill -CONT {pid}` lets it go on"
    return "it waits for a disk or another device" if state == "D" else "its loop is blocked"
