"""Baselines, verdicts and comparisons for the terminal."""

import json
from typing import Final

from rich.table import Table
from rich.text import Text

from myquant.cli.output import NOTHING, console
from myquant.evidence.compare import IMPROVEMENT, REGRESSION, Compared
from myquant.evidence.decide import Decision
from myquant.evidence.figures import Figure
from myquant.evidence.gate import Judged, judge
from myquant.evidence.report import BaselineReport
from myquant.evidence.text import by_share, interval, latency_line, number, throughput_line, verified_line
from myquant.evidence.trend import Trend
from myquant.evidence.verdicts import Judgement, Verdict
from myquant.evidence.write import Written

INDENT: Final = "  "
WIDTH_MAX: Final = 1_000  # of a table, characters
STYLES: Final = {
    Verdict.IMPLEMENT: "bold red",
    Verdict.SKIP: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.UNKNOWN: "dim",
}
TONES: Final = {REGRESSION: "bold red", IMPROVEMENT: "green"}


def print_baseline(report: BaselineReport, written: Written, *, as_json: bool) -> None:
    """Print a report's headlines and verdicts, or its JSON."""
    if as_json:
        print(written.report.read_text(encoding="utf-8"), end="")
        return
    out, window = console(), report.measurement_window
    rate = "flat out" if window.rate_per_s is None else f"at {number(window.rate_per_s)} a second"
    out.print(f"Baseline {report.run.id}: {window.ticks:,} ticks ({window.source}), {rate}", style="bold")
    out.print()
    _show(_components(report))
    out.print()
    for line in (latency_line(report), throughput_line(report)):
        out.print(f"{INDENT}{line}")
    missing = [f"{name} ({each.why})" for name, each in report.component_breakdown.items() if not each.measured]
    if missing:
        out.print(f"{INDENT}Not measured: {', '.join(missing)}.")
    overhead, every = interval(report.instrument.overhead_percent, " %"), report.instrument.sampled_every
    taken = "every tick" if every == 1 else f"1 tick in {every:,}"
    out.print(f"{INDENT}Measuring took {overhead} of the time; {taken} was taken apart.")
    out.print()
    _show(_verdicts(judge(report, report.thresholds)))
    out.print()
    for advice in report.recommendations:
        out.print(f"{INDENT}{advice}")
    for name, path in (("Report", written.report), ("Decision", written.decision), ("Page", written.page)):
        out.print(f"{INDENT}{name:<10}{path}")


def print_decision(decision: Decision, *, as_json: bool) -> None:
    """Print what the gate decided."""
    if as_json:
        verified = [
            each.model_dump(mode="json") | {"kept": each.is_kept, "against": each.against}
            for each in decision.verifications
        ]
        print(json.dumps(decision.document | {"verifications": verified}, indent=2, ensure_ascii=False))
        return
    out = console()
    out.print(f"{decision.path}: {decision.report.measurement_window.ticks:,} ticks", style="bold")
    out.print()
    _show(_verdicts(decision.judged))
    out.print()
    for each in decision.judged.phases:
        phase = each.phase
        out.print(f"{INDENT}{phase.component} (phase {phase.number}, {phase.priority}): {each.judgement.reason}")
    out.print(f"{INDENT}gc: {decision.judged.gc.reason}")
    for found in decision.verifications:
        out.print(f"{INDENT}{verified_line(found)}")
    _print_changes(decision)


def _print_changes(decision: Decision) -> None:
    """Print what is switched on, and where it is written."""
    out = console()
    if not decision.judged.changes:
        out.print(f"{INDENT}Nothing to switch on.")
    elif decision.overlay is None:
        options = " ".join(f"--set {change.key}={change.after}" for change in decision.kept)
        out.print(f"{INDENT}To switch on: {options or 'nothing'}" + ("; --apply writes it down" if options else ""))
    if decision.overlay is not None:
        done = "written" if decision.overlay_changed else "is so already"
        out.print(f"{INDENT}Overlay   {decision.overlay}: {done}; use it with --config")
    for path in decision.records:
        out.print(f"{INDENT}Recorded  {path}")


def print_compared(found: Compared, *, as_json: bool) -> None:
    """Print a comparison line by line."""
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    grid = _grid("", "BASE", "NEW", "", "change, %", "99 % interval", "", left=(0, 3, 6))
    for line in found.lines:
        change = edges = NOTHING
        if line.change_percent is not None and line.low_percent is not None and line.high_percent is not None:
            change, edges = f"{line.change_percent:+.1f}", f"{line.low_percent:+.1f} to {line.high_percent:+.1f}"
        values = [NOTHING if value is None else number(value) for value in (line.base, line.new)]
        verdict = line.verdict + (f": {line.note}" if line.note else "")
        grid.add_row(INDENT + line.name, *values, line.unit, change, edges, Text(verdict, TONES.get(line.verdict, "")))
    out = console()
    _show(grid)
    for note in found.notes:
        out.print(f"{INDENT}Note: {note}")
    names = ", ".join(line.name for line in found.regressions)
    out.print(f"{INDENT}Slower: {names}" if names else f"{INDENT}No regression is proven.")


def print_trend(found: Trend, *, as_json: bool) -> None:
    """Print the change points of a history."""
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    out = console()
    out.print(f"{found.reports} reports, {len(found.turns)} changes")
    if found.is_too_short:
        out.print(f"{INDENT}Too few for a change to show.")
    if found.turns:
        grid = _grid("", "since", "commit", "before", "after", "change, %", "unit", left=(0, 1, 2, 6))
        for turn in found.turns:
            commit = (turn.commit or NOTHING)[:12]
            values = (number(turn.before), number(turn.after), f"{turn.percent:+.1f}")
            grid.add_row(INDENT + turn.name, f"{turn.time} {turn.run}", commit, *values, turn.unit)
        _show(grid)
    for each in found.left_out:
        out.print(f"{INDENT}Left out: {each}")


def _components(report: BaselineReport) -> Table:
    grid = _grid("Component", "share, %", "calls", "mean, us", "p99, us")
    for name, each in by_share(report):
        if each.percent_of_total is not None:
            mean, tail = (NOTHING if found is None else number(found.value) for found in (each.avg, each.p99))
            grid.add_row(INDENT + name, _edged(each.percent_of_total), f"{each.call_count:,}", mean, tail)
    return grid


def _verdicts(judged: Judged) -> Table:
    grid = _grid("Verdict on", "", "share, %", "limit", "pipeline", left=(0, 1, 4))
    for each in judged.phases:
        phase = each.phase
        setting = f"{phase.setting.partition('.')[2]}: {each.variant}" + (
            f" -> {phase.optimised}" if each.change else ""
        )
        grid.add_row(INDENT + phase.component, *_judged(each.judgement), setting)
    grid.add_row(f"{INDENT}gc", *_judged(judged.gc), "")
    return grid


def _judged(judgement: Judgement) -> tuple[Text, str, str]:
    verdict = Text(str(judgement.verdict), STYLES[judgement.verdict])
    share = NOTHING
    if judgement.share is not None and judgement.low is not None and judgement.high is not None:
        share = _edged(Figure(value=judgement.share, low=judgement.low, high=judgement.high, n=max(judgement.n, 1)))
    return verdict, share, number(judgement.threshold)


def _edged(figure: Figure) -> str:
    """Return a share with its interval, short: `54.8 (54.2-55.3)`."""
    return f"{number(figure.value)} ({number(figure.low)}-{number(figure.high)})"


def _show(grid: Table) -> None:
    """Print a table as wide as it is: like any line, it is for the terminal to break."""
    out = console()
    out.width = max(out.width, out.measure(grid, options=out.options.update(width=WIDTH_MAX)).maximum)
    out.print(grid)


def _grid(*heads: str, left: tuple[int, ...] = (0,)) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for place in range(len(heads)):
        grid.add_column(justify="left" if place in left else "right", no_wrap=True)
    grid.add_row(INDENT + heads[0], *heads[1:], style="dim")
    return grid
