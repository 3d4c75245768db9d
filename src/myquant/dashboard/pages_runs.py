"""The page of all runs: backtests, baselines and sessions in one list, with what came of them; two can be chosen to compare."""

from typing import Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from nicegui import app, ui

from myquant.dashboard.components import Cell, LiveTable, LiveText, Row, pnl
from myquant.dashboard.figures import clock, count
from myquant.dashboard.frame import Frame, Site, page_frame
from myquant.dashboard.runs import FILES, ListedRun, Wanted, choose, kinds_of, safe_file
from myquant.dashboard.runs_show import so_far, state_light, verdict_light
from myquant.results.text import NOTHING, counted, grouped, listed, signed

COLUMNS: Final = (
    "Run",
    "Compare",
    "Kind",
    "State",
    "Replay",
    "#Net P&L, Rs",
    "#Max. drawdown, Rs",
    "#Trades",
    "Symbols",
    "Days",
    "Report",
    "Strategy",
    "#Ticks",
)
ORDERS: Final = {
    "written": "newest first",
    "net_pnl": "net P&L, best first",
    "max_drawdown": "drawdown, largest first",
    "trades": "trades, most first",
    "ticks": "ticks, most first",
    "days": "days, latest first",
    "name": "name",
}
PAGE_ROWS: Final = 50
ANY: Final = "any"
WHOLE: Final = "whole"  # a style: a text that is not broken
TEXT_MAX: Final = 200
# A report is a page with scripts of its own: it gets no cookie and reaches nothing of these pages.
REPORT_POLICY: Final = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:"


def run_url(key: str) -> str:
    """Return where the page of a run is."""
    return f"/runs/run?{urlencode({'key': key})}"


def file_url(key: str, name: str) -> str:
    """Return where a file of a run is."""
    return f"/runs/file?{urlencode({'key': key, 'name': name})}"


def compare_url(a: str, b: str) -> str:
    """Return where two runs are compared."""
    return f"/runs/compare?{urlencode({'a': a, 'b': b})}"


def register(site: Site) -> None:
    """Serve the page, and the reports and workbooks of runs."""

    @ui.page("/runs")
    def runs(request: Request, a: str = "") -> None:
        with page_frame(site, request, "Runs") as frame:
            _RunList(frame, a[:300])

    @app.get("/runs/file", include_in_schema=False)
    def file(key: str = "", name: str = "") -> Response:
        return file_answer(site.runs.book.find(key), name)


def file_answer(row: ListedRun | None, name: str) -> Response:
    """Return a file of a run as an answer: 404 for a run or a file that there is not."""
    path = None if row is None else safe_file(row, name)
    if path is None:
        return PlainTextResponse("no such run, or it has no such file", status_code=404)
    if path.suffix == ".html":
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})
    return FileResponse(path, filename=f"{path.parent.name}-{path.name}")


class _RunList:
    """The list and what narrows it down. `first`: the key of the run that another is to be compared with; "": none yet."""

    def __init__(self, frame: Frame, first: str) -> None:
        self._frame, self._first, self._shown = frame, first, PAGE_ROWS
        self._said = LiveText("p", "quiet")
        if first:
            with ui.element("p"):
                ui.label(f"To be compared: A is {first}. Choose B in the list, or ")
                ui.link("choose another A", "/runs")
        with ui.element("div").classes("actions").props('role=search aria-label="Which runs"'):
            self._text = ui.input("Name, symbol, day", on_change=self.show).props("dense outlined debounce=200")
            self._kind, self._state, self._strategy = map(self._select, ("Kind", "State", "Strategy"))
            self._order = ui.select(ORDERS, value="written", label="Order", on_change=self.show).props("dense outlined")
        with ui.element("div").classes("cards"):
            self._table = LiveTable(COLUMNS, "Runs", "No run is here that fits.")
        self._more = ui.button(on_click=self._show_more, color=None)
        frame.each_update.append(self.show)

    def _select(self, name: str) -> ui.select:
        return ui.select([ANY], value=ANY, label=name, on_change=self.show).props("dense outlined")

    def _show_more(self) -> None:
        self._shown += PAGE_ROWS
        self.show()

    def show(self) -> None:
        """Show the runs that are wanted now."""
        runs = self._frame.site.runs
        runs.note_look()
        for select, name in zip(self._selects(), ("kind", "state", "strategy"), strict=True):
            if (options := [ANY, *kinds_of(runs.book.rows, name)]) != select.options:
                select.set_options(options, value=select.value if select.value in options else ANY)
        order = str(self._order.value)
        kind, state, strategy = map(_value, self._selects())
        text = str(self._text.value or "")[:TEXT_MAX]
        chosen = choose(runs.book.rows, Wanted(kind, state, strategy, text, order, is_descending=order != "name"))
        self._table.show([self._row(row) for row in chosen[: self._shown]])
        left = len(chosen) - self._shown
        self._more.set_visibility(left > 0)
        self._more.set_text(f"Show {min(left, PAGE_ROWS)} more of {counted(max(left, 0), 'run')}")
        as_of = clock(runs.refreshed_ns, self._frame.zone)
        said = f"{len(chosen):,} of {counted(len(runs.book.rows), 'run')}, as of {as_of}"
        self._said.show("; ".join([said, *runs.book.problems]) if runs.refreshed_ns else "The folders are being read.")

    def _selects(self) -> tuple[ui.select, ...]:
        return self._kind, self._state, self._strategy

    def _row(self, row: ListedRun) -> Row:
        entry = so_far(row.entry, self._frame.watch.views.get(row.key))
        verdicts = self._frame.site.runs.verdicts
        report = next((name for name in row.files if name.endswith(".html")), "")
        is_first = row.key == self._first
        other = (
            Cell("compare with A", compare_url(self._first, row.key))
            if self._first
            else Cell("compare", f"/runs?{urlencode({'a': row.key})}")
        )
        return row.key, (
            Cell(row.key, run_url(row.key), WHOLE),
            Cell("this is A") if is_first else other,
            entry.kind or NOTHING,
            state_light(entry),
            verdict_light(entry, verdicts.of(row.folder)),
            pnl(signed(entry.net_pnl)),
            grouped(entry.max_drawdown),
            count(entry.trades),
            listed(entry.symbols, 1) or NOTHING,
            Cell(days(entry.days), style=WHOLE),
            Cell(FILES[report], file_url(row.key, report)) if report else NOTHING,
            entry.strategy or NOTHING,
            count(entry.ticks),
        )


def _value(select: ui.select) -> str:
    return "" if select.value in (ANY, None) else str(select.value)


def days(dates: tuple[str, ...]) -> str:
    """Return the first and the last day of a run."""
    return " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else NOTHING
