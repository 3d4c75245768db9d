"""The page of one run: what it was, its files, and of a session the verdict on its replay and what set it apart from the plain run."""

import asyncio
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from myquant.dashboard.components import Facts, LiveTable, LiveText, heading
from myquant.dashboard.figures import count
from myquant.dashboard.frame import Frame, Site, page_frame, part_timer, session_url
from myquant.dashboard.pages_evidence import evidence_url
from myquant.dashboard.pages_runs import days, file_url
from myquant.dashboard.pages_session import find_session
from myquant.dashboard.runs import FILES, ListedRun
from myquant.dashboard.runs_read import read_content
from myquant.dashboard.runs_show import divergence_rows, is_session, so_far, state_light, verdict_light
from myquant.dashboard.verdicts import SessionVerdict
from myquant.results.index import MEASURED
from myquant.results.text import NOTHING, date_time, grouped, listed, signed

SYMBOLS_SHOWN = 10


def register(site: Site) -> None:
    """Serve the page."""

    @ui.page("/runs/run")
    def run(request: Request, key: str = "") -> None:
        with page_frame(site, request, "Run") as frame:
            _build(frame, key)


def _build(frame: Frame, key: str) -> None:
    row = frame.site.runs.book.find(key)
    if row is None:
        ui.label("There is no such run, or the folders are still being read.")
        ui.link("All runs", "/runs")
        return
    heading(row.key)
    facts = Facts()
    with ui.element("div").classes("actions"):
        for text, url in links_of(frame.site, row):
            ui.link(text, url)
    if is_session(row.entry):
        _Verdict(frame, row)

    journaled: dict[str, str] = {}

    async def read() -> None:
        journaled.update(await asyncio.to_thread(journaled_figures, row))

    if is_session(row.entry) and row.entry.trades is None and row.key not in frame.watch.views:
        part_timer(0, read, once=True)

    def show() -> None:
        frame.site.runs.note_look()
        found = frame.site.runs.book.find(row.key)
        if found is None:
            facts.show({"State": "gone: its folder is not there any more"})
            return
        entry = so_far(found.entry, frame.watch.views.get(row.key))
        facts.show(
            {
                "State": state_light(entry),
                "Why": entry.reason or NOTHING,
                "Kind": entry.kind or NOTHING,
                "Strategy": entry.strategy or NOTHING,
                "Symbols": listed(entry.symbols, SYMBOLS_SHOWN) or NOTHING,
                "Days": days(entry.days),
                "Ticks": count(entry.ticks),
                "Trades": count(entry.trades) if entry.trades is not None else journaled.get("trades", NOTHING),
                "Net P&L, Rs": signed(entry.net_pnl) if entry.trades is not None else journaled.get("net_pnl", NOTHING),
                "Max. drawdown, Rs": grouped(entry.max_drawdown),
                "Written, UTC": entry.written or NOTHING,
                "Configuration": entry.config_hash or NOTHING,
                "Engine": entry.engine_hash or NOTHING,
                "Folder": entry.folder,
            }
        )

    frame.each_update.append(show)


def links_of(site: Site, row: ListedRun) -> list[tuple[str, str]]:
    """Return what the page of a run leads to: text and address of each."""
    links = [(FILES[name].capitalize(), file_url(row.key, name)) for name in row.files]
    links.append(("Compare with another run", f"/runs?{urlencode({'a': row.key})}"))
    if row.entry.kind == MEASURED:
        links.append(("The gate's verdicts", evidence_url(row.key)))
    elif find_session(site, row.key) is not None:  # be it watched, or left long ago
        links.append(("The session", session_url(row.key)))
    return links


def journaled_figures(row: ListedRun) -> dict[str, str]:
    """Return the headline figures of a session that left no results, by its journal: for a worker thread. None are known: nothing."""
    figures = read_content(row.key, row.entry).figures
    if figures is None:
        return {}
    trades, net = figures["trades"], figures["net_pnl"]
    return {
        "trades": f"{count(None if trades is None else int(trades))}, by its journal",
        "net_pnl": f"{signed(net)}, of closed trades, by its journal",
    }


class _Verdict:
    """The verdict on a session, and a button that has it made."""

    def __init__(self, frame: Frame, row: ListedRun) -> None:
        self._frame, self._row = frame, row
        heading("Replay and divergence")
        ui.label(
            "Replay: its recorded inputs through the engine again. Divergence: what it made more or less than the plain run over its"
            " ticks, and through what."
        ).classes("is-quiet")
        self._facts = Facts()
        self._said = LiveText("p")
        if frame.can_act:
            self._button = ui.button("Make this verdict now", on_click=self._ask, color=None)
        self._table = LiveTable(("Cause", "#P&L, Rs"), "Divergence from the plain run", "No divergence is known.")
        frame.each_update.append(self.show)

    def _ask(self) -> None:
        if why := self._frame.why_not():
            ui.notify(why)
        elif not self._frame.site.runs.verdicts.ask(self._row.folder):
            ui.notify("It can't be made: the session runs, or has no journal.")
        else:
            self._frame.note_act("verdict asked for", session=self._row.key)
        self.show()

    def show(self) -> None:
        """Show what is known now."""
        verdicts = self._frame.site.runs.verdicts
        found = verdicts.of(self._row.folder)
        self._facts.show(
            {
                "Replay": verdict_light(self._row.entry, found),
                "What": found.text,
                "Records": count(found.records),
                "Made": date_time(found.made_wall_ns, self._frame.zone) if found.made_wall_ns else NOTHING,
                "Trades as of the plain run": _same_trades(found),
            }
        )
        is_working = verdicts.working == str(self._row.folder)
        waits = "It waits to be made." if verdicts.is_waiting(self._row.folder) else ""
        self._said.show("It is being made now, when the machine is idle." if is_working else waits)
        rows = [] if found.divergence is None else divergence_rows(found.divergence)
        self._table.show([(cause, (cause, amount)) for cause, amount in rows])


def _same_trades(found: SessionVerdict) -> str:
    if found.divergence is None:
        return f"not known: {found.why_no_divergence}"
    return "the same, to the paisa" if found.divergence["same_trades"] else "not the same"
