"""How `myquant runs --compare` prints two runs side by side."""

import json
from pathlib import Path

from myquant.cli.output import console
from myquant.dashboard.runs import ListedRun, RunBook
from myquant.dashboard.runs_compare import Comparison, compare_runs, figure_text
from myquant.dashboard.runs_read import read_content
from myquant.errors import ConfigError
from myquant.results.text import NOTHING, counted


def print_comparison(directory: Path, names: tuple[str, str], *, as_json: bool) -> None:
    """Compare two runs of a folder by their names and print what differs. Raises ConfigError for a name that is none."""
    book = RunBook([directory])
    book.refresh()
    if book.problems:
        raise ConfigError(book.problems[0])
    a, b = (_listed(book, name, directory) for name in names)
    found = compare_runs(read_content(a.key, a.entry), read_content(b.key, b.entry))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False, allow_nan=False))
        return
    out = console()
    for line in comparison_lines(found):
        out.print(line)


def _listed(book: RunBook, name: str, directory: Path) -> ListedRun:
    row = book.find(name)
    if row is None:
        raise ConfigError(f"--compare {name}: no such run in {directory}: `myquant runs` lists them")
    return row


def comparison_lines(found: Comparison) -> list[str]:
    """Return two runs side by side as lines of text."""
    lines = [f"A {found.a}", f"B {found.b}", *found.notes]
    if found.figures:
        lines += ["", f"{'':<24}{'A':>16}{'B':>16}{'B less A':>16}"]
        for each in found.figures:
            sides = (
                figure_text(each.a, each.unit),
                figure_text(each.b, each.unit),
                figure_text(each.difference, each.unit, is_signed=True),
            )
            named = f"{each.name}{f', {each.unit}' if each.unit else ''}"
            lines.append(f"{named:<24}" + "".join(f"{side:>16}" for side in sides))
    if (trades := found.trades) is not None:
        lines += ["", f"{counted(trades.same, 'trade')} the same, {trades.different:,} different"]
        lines[-1] += f", {trades.only_a:,} only in A, {trades.only_b:,} only in B"
    if found.settings is not None:
        lines += ["", "settings that differ:" if found.settings else "no setting differs"]
        lines += [f"  {each.name} = {each.a} -> {each.b}" for each in found.settings]
    for stage in found.latency or ():
        times = [NOTHING if side is None else f"{_us(side.p50)}/{_us(side.p99)}" for side in (stage.a, stage.b)]
        lines.append(f"{stage.stage}: p50/p99 {times[0]} us in A, {times[1]} us in B")
    if found.baselines is not None:
        lines += [f"{line.name}: {line.verdict}" for line in found.baselines.lines]
    return [*lines, *(f"{name}: {why}" for name, why in found.why_not.items())]


def _us(time_ns: float | None) -> str:
    """Return a time in microseconds; one of too few values is not known."""
    return NOTHING if time_ns is None else f"{time_ns / 1e3:,.1f}"
