"""The page of one run: what it was, its files, and of a session the verdict on its replay and what set it apart from the plain run."""

from fastapi import Request
from nicegui import ui

from myquant.dashboard.components import Facts, LiveTable, LiveText, heading
from myquant.dashboard.figures import count
from myquant.dashboard.frame import Frame, Site, page_frame, session_url
from myquant.dashboard.pages_evidence import evidence_url
from myquant.dashboard.pages_runs import days, file_url
from myquant.dashboard.runs import FILES, ListedRun
from myquant.dashboard.runs_show import divergence_rows, state_light, verdict_light
from myquant.dashboard.verdicts import SessionVerdict
from myquant.results.index import MEASURED, RECORDED
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
        for name in row.files:
            ui.link(FILES[name].capitalize(), file_url(row.key, name))
        ui.link("Compare with another run", f"/runs?a={row.key}")
        if row.entry.kind == MEASURED:
            ui.link("The gate's verdicts", evidence_url(row.key))
        elif row.key in frame.watch.views:
            ui.link("The session", session_url(row.key))
    if row.entry.kind not in (RECORDED, MEASURED, None):
        _Verdict(frame, row)

    def show() -> None:
        frame.site.runs.note_look()
        found = frame.site.runs.book.find(row.key)
        if found is None:
            facts.show({"State": "gone: its folder is not there any more"})
            return
        entry = found.entry
        facts.show(
            {
                "State": state_light(entry),
                "Why": entry.reason or NOTHING,
                "Kind": entry.kind or NOTHING,
                "Strategy": entry.strategy or NOTHING,
                "Symbols": listed(entry.symbols, SYMBOLS_SHOWN) or NOTHING,
                "Days": days(entry.days),
                "Ticks": count(entry.ticks),
                "Trades": count(entry.trades),
                "Net P&L, Rs": signed(entry.net_pnl),
                "Max. drawdown, Rs": grouped(entry.max_drawdown),
                "Written, UTC": entry.written or NOTHING,
                "Configuration": entry.config_hash or NOTHING,
                "Engine": entry.engine_hash or NOTHING,
                "Folder": entry.folder,
            }
        )

    frame.each_update.append(show)


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
