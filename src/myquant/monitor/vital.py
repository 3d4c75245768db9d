"""The few rules without which nobody would notice anything: whether sessions live."""

from collections.abc import Iterator, Mapping

from myquant.config.watching import MonitorSettings
from myquant.monitor.finding import CRITICAL, Finding
from myquant.monitor.metrics import heartbeat_age_s
from myquant.monitor.view import SessionView


def judge_life(
    views: Mapping[str, SessionView], settings: MonitorSettings, now_wall_ns: int, now_mono_ns: int
) -> list[Finding]:
    """Return which sessions are dead, frozen or failed."""
    return [
        Finding(rule, view.name, "", CRITICAL, text, remedy, since_ns or now_wall_ns)
        for view in views.values()
        for rule, text, remedy, since_ns in _faults(view, settings, now_wall_ns, now_mono_ns)
    ]


def _faults(
    view: SessionView, settings: MonitorSettings, now_wall_ns: int, now_mono_ns: int
) -> Iterator[tuple[str, str, str, int | None]]:
    process = view.process
    if process is None:
        return
    if view.is_dead:
        held = ", ".join(f"{units} {symbol}" for symbol, units in view.holds.items())
        holds = f" IT HOLDS {held}" if held else ""
        text = f"process {process.pid} died without a word.{holds}"
        yield "engine_dead", text, "start the session again: it goes on where it was", process.died_wall_ns
    elif view.stopped_code:
        yield "session_failed", f"it left with exit code {view.stopped_code}", "read its log", view.written_wall_ns
    age_s = heartbeat_age_s(view, now_wall_ns, now_mono_ns)
    if view.runs and (process.is_stopped or (age_s is not None and age_s > settings.silence_s)):
        how = "is stopped by a signal" if process.is_stopped else f"has journaled nothing for {age_s:.1f} s"
        yield (
            "engine_frozen",
            f"process {process.pid} {how}",
            "continue it, or kill it and start it again",
            view.beat_wall_ns,
        )
