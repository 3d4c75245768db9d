"""The page of evidence: the gate's verdicts on a baseline, and the before and after of each optimisation that was tried."""

import asyncio
from typing import Final
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from myquant.dashboard.charts import Palette
from myquant.dashboard.components import Facts, LiveTable, Row, heading, light
from myquant.dashboard.frame import Frame, Site, page_frame, part_timer
from myquant.dashboard.runs import ListedRun
from myquant.dashboard.runs_charts import share_chart
from myquant.dashboard.runs_evidence import Evidence, Optimisation, VerdictLine, read_evidence
from myquant.dashboard.runs_show import gate_light
from myquant.dashboard.themes import ask_palette
from myquant.errors import MyquantError
from myquant.evidence.figures import Figure
from myquant.evidence.text import number
from myquant.monitor.finding import DEGRADED, FAILED, OK
from myquant.results.index import DONE, MEASURED
from myquant.results.text import NOTHING, counted

VERDICTS: Final = ("Component", "Verdict", "#Share, %", "95 % interval", "#Limit, %", "#n", "Setting", "Why")
OPTIMISATIONS: Final = (
    "Setting",
    "From",
    "To",
    "#Time of a tick after/before",
    "99 % interval",
    "#Faster, %",
    "Control, %",
    "At most, %",
    "#Pairs",
    "Result",
    "Why",
)
WAIT_S: Final = 0.2  # between looks whether the list is read
SHOWN: Final = 20  # baselines that one can choose from


def evidence_url(key: str) -> str:
    """Return where the evidence of a baseline is."""
    return f"/evidence?{urlencode({'run': key})}"


def register(site: Site) -> None:
    """Serve the page."""

    @ui.page("/evidence")
    def evidence(request: Request, run: str = "") -> None:
        with page_frame(site, request, "Evidence") as frame:
            box = ui.element("div")
            with box:
                ui.label("The folders are being read.")

            async def begin() -> None:
                if site.runs.refreshed_ns:
                    timer.cancel()
                    await _fill(frame, box, run, await ask_palette(request))

            timer = part_timer(WAIT_S, begin)


async def _fill(frame: Frame, box: ui.element, key: str, palette: Palette) -> None:
    book = frame.site.runs.book
    rows = [row for row in book.rows if row.entry.kind == MEASURED and row.entry.state == DONE]
    chosen = book.find(key) if key else (rows[0] if rows else None)
    found: Evidence | None = None
    if chosen is None or chosen.entry.kind != MEASURED:
        problem = "There is no such baseline." if key else "No baseline is here yet: `myquant baseline` makes one."
    else:
        try:
            found = await asyncio.to_thread(read_evidence, chosen.folder)
        except MyquantError as error:
            problem = f"This baseline can't be read: {error}"
    box.clear()
    with box:
        if found is None or chosen is None:
            ui.label(problem)
            return
        _others(rows, chosen)
        heading(f"Baseline {chosen.key}")
        _show(found, palette)


def _show(found: Evidence, palette: Palette) -> None:
    _facts(found)
    heading("The gate's verdicts")
    ui.echart(share_chart(found.verdicts, palette)).classes("chart").style("height: 280px; width: 100%")
    with ui.element("div").classes("cards"):
        LiveTable(VERDICTS, "Verdicts").show([verdict_row(line) for line in found.verdicts])
    heading("Optimisations that were tried")
    with ui.element("div").classes("cards"):
        empty = "None was verified on this baseline: `myquant gate --apply --verify` does it."
        LiveTable(OPTIMISATIONS, "Before and after, in interleaved pairs", empty).show(
            [optimisation_row(each) for each in found.optimisations]
        )


def _others(rows: list[ListedRun], chosen: ListedRun) -> None:
    if len(rows) < 2:
        return
    with ui.element("nav").props('aria-label="Baselines"').classes("actions"):
        for row in rows[:SHOWN]:
            link = ui.link(row.key, evidence_url(row.key))
            if row.key == chosen.key:
                link.props("aria-current=page")


def _facts(found: Evidence) -> None:
    trail = (
        light(FAILED, f"changed: {'; '.join(found.problems)}")
        if found.problems
        else light(OK, "chain of hashes intact")
    )
    if not found.decisions and not found.problems:
        trail = light("", "nothing was decided on it yet")
    Facts().show(
        {
            "Measured, UTC": found.time,
            "Ticks": f"{found.provenance['ticks']:,}",
            "Machine": str(found.provenance["machine"]),
            "Engine": found.engine_hash,
            "Configuration": found.config_hash,
            "Decisions": f"{counted(found.decisions, 'decision')} recorded",
            "Trail": trail,
        }
    )


def verdict_row(line: VerdictLine) -> Row:
    """Return the row of a verdict of the gate."""
    change = f"{line.setting} = {line.variant}" + (f", to be {line.change_to}" if line.change_to else "")
    return line.component, (
        line.component,
        gate_light(line.verdict),
        NOTHING if line.share is None else number(line.share),
        _between(line.low, line.high),
        number(line.limit),
        f"{line.n:,}",
        change if line.setting else NOTHING,
        line.reason,
    )


def optimisation_row(each: Optimisation) -> Row:
    """Return the row of an optimisation."""
    value, low, high = each.ratio
    return each.file, (
        each.setting,
        each.before,
        each.after,
        number(value),
        _between(low, high),
        number(each.faster.value),
        _interval(each.control),
        _interval(each.ablation),
        f"{each.pairs:,}",
        light(OK, "kept") if each.is_kept else light(DEGRADED, "reverted"),
        "; ".join(each.against) or "proven",
    )


def _interval(figure: Figure) -> str:
    return f"{number(figure.value)} ({_between(figure.low, figure.high)})"


def _between(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{number(low)} to {number(high)}"
