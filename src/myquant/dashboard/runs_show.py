"""How runs and verdicts on sessions are written on pages: a shape and a word, never a colour alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from myquant.dashboard.components import Cell, light
from myquant.dashboard.figures import gain
from myquant.dashboard.verdict_worker import DIFFERS, FAILED, IDENTICAL, NOT_COMPARABLE, PARTLY
from myquant.dashboard.verdicts import SessionVerdict
from myquant.evidence.verdicts import Verdict
from myquant.monitor import finding
from myquant.monitor.view import SessionView
from myquant.results.index import DAMAGED, DONE, KILLED, MEASURED, RECORDED, RUNNING, STOPPED, RunEntry
from myquant.results.text import NOTHING

_STATES: Final = {
    DONE: finding.OK,
    RUNNING: finding.OK,
    STOPPED: finding.DEGRADED,
    KILLED: finding.DEGRADED,
    DAMAGED: finding.FAILED,
}
_VERDICTS: Final = {
    IDENTICAL: finding.OK,
    PARTLY: finding.DEGRADED,
    DIFFERS: finding.FAILED,
    FAILED: finding.FAILED,
    NOT_COMPARABLE: "",
}
_OF_GATE: Final = {
    Verdict.IMPLEMENT: finding.DEGRADED,  # there is something to gain
    Verdict.SKIP: finding.OK,
    Verdict.UNDECIDED: "",
    Verdict.UNKNOWN: "",
}


def state_light(entry: RunEntry) -> Cell:
    """Return the state of a run."""
    return light(_STATES.get(entry.state, ""), entry.state)


def is_session(entry: RunEntry) -> bool:
    """Return whether an entry is of a session."""
    return entry.kind not in (RECORDED, MEASURED, None)


def so_far(entry: RunEntry, view: SessionView | None) -> RunEntry:
    """Return the entry of a session that has no results yet with what its journal says so far; its deepest drawdown is not known."""
    if view is None or entry.trades is not None:
        return entry
    ticks = sum(each.ticks for each in view.instruments)
    return replace(entry, trades=view.trades, net_pnl=view.net_pnl / 100, ticks=ticks)


def verdict_light(entry: RunEntry, verdict: SessionVerdict) -> Cell:
    """Return the verdict on a session's replay; a dash of what is no session."""
    return replay_light(verdict) if is_session(entry) else Cell(NOTHING)


def replay_light(verdict: SessionVerdict) -> Cell:
    """Return the verdict on the replay of what is a session."""
    return light(_VERDICTS.get(verdict.state, ""), verdict.state)


def gate_light(verdict: Verdict) -> Cell:
    """Return a verdict of the gate."""
    return light(_OF_GATE[verdict], str(verdict))


def divergence_rows(divergence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what set a session apart from the plain run: the parts, which sum to the gap, in rupees."""
    rows = [(str(line["cause"]), gain(int(line["paise"]))) for line in divergence.get("lines", ())]
    return [*rows, ("gap, the sum", gain(int(divergence["gap"])))]
