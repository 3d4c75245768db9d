"""The page of alerts: what is wrong, who sees to it, what was wrong, and whether people are told."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from fastapi import Request
from nicegui import ui

from myquant.dashboard.alert_look import AlertLook, troubles_of
from myquant.dashboard.alert_rows import (
    ACTIVE_COLUMNS,
    CHANNEL_COLUMNS,
    HISTORY_COLUMNS,
    PAGE_ROWS,
    SEEN_COLUMNS,
    SENT_COLUMNS,
    SHOWN_MAX,
    HistoryQuery,
    active_row,
    channel_row,
    over_row,
    seen_row,
    sent_row,
    sorted_out,
    when,
)
from myquant.dashboard.channel_test import ChannelTest
from myquant.dashboard.components import Cell, LiveTable, LiveText, RowAction, action_button, heading
from myquant.dashboard.dialogs import Dialog
from myquant.dashboard.forms import choice_field, query_form, text_field
from myquant.dashboard.frame import Frame, Site, page_frame
from myquant.errors import MyquantError
from myquant.monitor.alert_list import NOTE_MAX, acknowledge
from myquant.monitor.finding import SEVERITIES
from myquant.results.text import counted

ALL: Final = ""  # for the key of an alert


def register(site: Site) -> None:
    """Serve the page."""
    look = AlertLook(site.state)
    test = ChannelTest.of(site.loaded.config.alerts, os.environ)

    @ui.page("/alerts")
    async def alerts(request: Request) -> None:
        await look.refresh()
        query = HistoryQuery.of(request.query_params)
        with page_frame(site, request, "Alerts") as frame:
            page = _Alerts(frame, look, query)
            page.make_delivery(lambda: _Test(frame, test))
            update_s = float(site.loaded.config.dashboard.update_s)
            ui.timer(update_s, partial(_refresh, look, page), immediate=False)
            frame.each_update.append(page.show)


async def _refresh(look: AlertLook, page: "_Alerts") -> None:
    before = look.readings
    await look.refresh()
    if look.readings != before:
        page.show()


class _Alerts:
    """The tables of the page."""

    def __init__(self, frame: Frame, look: AlertLook, query: HistoryQuery) -> None:
        self._frame, self._look, self._query = frame, look, query
        self._shown: object = None
        why_not = frame.why_not()
        self._said = LiveText("p", "said")
        self._said.element.props("role=status aria-live=polite")
        acknowledges = RowAction("Acknowledge", "alert", self._ask, why_not)
        self._dialog = _AckDialog(self._acknowledge) if frame.can_act else None
        heading("Active")
        with ui.element("div").classes("cards"):
            self._active = LiveTable(ACTIVE_COLUMNS, "Alerts that nobody sees to yet", "No alert lasts.", acknowledges)
        with ui.element("div").classes("actions"):
            action_button(RowAction("Acknowledge all", "", self._ask, why_not), ALL)
            if why_not:
                ui.label(why_not).classes("is-quiet")
        heading("Acknowledged")
        with ui.element("div").classes("cards"):
            self._seen = LiveTable(SEEN_COLUMNS, "Alerts that somebody sees to", "None.")
        self._make_history()

    def make_delivery(self, between: Callable[[], object]) -> None:
        """Add how channels do and the last messages; `between`: adds what stands between the two."""
        heading("Delivery")
        with ui.element("div").classes("cards"):
            self._channels = LiveTable(CHANNEL_COLUMNS, "Channels, the last 30 days", "Nothing was told yet.")
        between()
        heading("Messages", 3)
        with ui.element("div").classes("cards"):
            self._sent = LiveTable(SENT_COLUMNS, "The last messages", "Nothing was told yet.")

    def _make_history(self) -> None:
        query = self._query
        with ui.element("section").props("id=history"):
            heading("History")
            with query_form("/alerts#history", "Search in alerts that are over", "Show"):
                text_field("text", "Text", query.text)
                severities = {"": "any"} | {each: each for each in SEVERITIES[::-1]}
                choice_field("severity", "Severity", severities, query.severity)
                text_field("session", "Session", query.session)
            with ui.element("div").classes("cards"):
                self._over = LiveTable(HISTORY_COLUMNS, "Alerts that are over, the last 30 days", "None.")
            with ui.element("nav").props('aria-label="Pages of the history"').classes("actions"):
                self._newer, self._place, self._older = LiveText(), LiveText(), LiveText()

    def show(self) -> None:
        """Show what was read last, where it is new."""
        look = self._look
        if self._shown == (look.readings, look.trouble):
            return
        self._shown = (look.readings, look.trouble)
        zone, found = self._frame.zone, sorted_out(look.alerts.alerts)
        self._active.show([active_row(each, zone) for each in found.active[:SHOWN_MAX]])
        self._seen.show([seen_row(each, zone) for each in found.seen[:SHOWN_MAX]])
        over = [each for each in found.over if self._query.has(each)]
        pages = max(1, -(-len(over) // PAGE_ROWS))
        page = min(self._query.page, pages)
        self._over.show([over_row(each, zone) for each in over[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]])
        self._newer.show(Cell("newer", self._query.url(page - 1)) if page > 1 else "")
        self._place.show(f"page {page:,} of {pages:,}: {counted(len(over), 'alert')}")
        self._older.show(Cell("older", self._query.url(page + 1)) if page < pages else "")
        self._channels.show([channel_row(each, zone) for each in look.deliveries.channels])
        self._sent.show([sent_row(each, zone) for each in look.deliveries.last])
        self._say(troubles_of(look, len(found.active)), is_bad=True)

    def _say(self, text: str, *, is_bad: bool = False) -> None:
        self._said.show(Cell(text, style="failed" if is_bad and text else ""))

    def _ask(self, key: str) -> None:
        lasting = sorted_out(self._look.alerts.alerts)
        numbers = [int(key)] if key != ALL else [each.number for each in lasting.active]
        if self._dialog is not None and numbers:
            self._dialog.ask(numbers)
        elif not numbers:
            self._say("There is nothing to acknowledge.")

    async def _acknowledge(self, numbers: Sequence[int], note: str) -> str:
        """Acknowledge alerts; return why not, "" where that was done."""
        look = self._look
        if why := self._frame.why_not():
            return why
        try:
            noted = await asyncio.to_thread(acknowledge, look.folder, numbers, note, time.time_ns())
        except MyquantError as error:
            return str(error)
        self._frame.note_act("alerts acknowledged", numbers=[each.number for each in noted], note=note)
        await look.refresh()
        self.show()
        self._say(f"acknowledged: {counted(len(noted), 'alert')}")
        return ""


class _AckDialog:
    """Asks for the note of who sees to alerts."""

    def __init__(self, acknowledge_them: Callable[[Sequence[int], str], Awaitable[str]]) -> None:
        self._acknowledge = acknowledge_them
        self._numbers: list[int] = []
        self._dialog = Dialog("Acknowledge", "Acknowledge", self._confirm)
        with self._dialog.body:
            ui.label("Who sees to an alert is not told of it again while it lasts, unless it becomes worse.")
            self._note = ui.input("Note, kept with the alert").props(f"maxlength={NOTE_MAX} outlined autofocus")

    def ask(self, numbers: list[int]) -> None:
        """Open it for these alerts."""
        self._numbers = numbers
        self._note.set_value("")
        self._dialog.open(f"Acknowledge {counted(len(numbers), 'alert')}: {', '.join(map(str, numbers[:10]))}")

    async def _confirm(self) -> str:
        return await self._acknowledge(self._numbers, str(self._note.value or "").strip())


class _Test:
    """The button that tests the channels, and what they answered."""

    def __init__(self, frame: Frame, test: ChannelTest) -> None:
        self._frame, self._test = frame, test
        heading("Test of the channels", 3)
        names = ", ".join(test.names) or "none"
        ui.label(f"Channels of the settings that the pages were begun with: {names}. Their addresses are not shown.")
        with ui.element("div").classes("actions"):
            action_button(RowAction("Send a test message", "", self._begin, frame.why_not()), ALL)
        self._said = LiveText("p", "said")
        self._said.element.props("role=status aria-live=polite")
        self._lines = ui.element("ul")
        self._shown: list[str] = []
        frame.each_update.append(self._show)

    def _begin(self, _key: str) -> None:
        why_not = self._frame.why_not() or self._test.begin(when(time.time_ns(), self._frame.zone), self._frame.who)
        self._frame.note_act("channels tested", why_not=why_not)
        if why_not:
            ui.notify(why_not)
            self._said.show(Cell(why_not, style="degraded"))
        else:
            self._show()

    def _show(self) -> None:
        if self._test.said:
            self._said.show(self._test.said)
        if self._shown == self._test.lines:
            return
        self._shown = list(self._test.lines)
        self._lines.clear()
        with self._lines:
            for line in self._shown:
                with ui.element("li"):
                    ui.label(line)
