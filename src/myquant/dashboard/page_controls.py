"""Buttons that halt, resume and flatten: each opens a dialog that says what will happen, and asks why."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from nicegui import ui

from myquant.dashboard.components import Cell, LiveText, RowAction, action_button
from myquant.dashboard.controls import ACTIONS, NOTE_MAX, RUPEE, Action, Controls, Preview, StaleError
from myquant.dashboard.dialogs import Dialog
from myquant.dashboard.frame import Frame
from myquant.errors import MyquantError
from myquant.monitor.view import SessionView
from myquant.results.text import clock_time, counted
from myquant.session.operator import FLATTEN, HALT

OFF: Final = (
    "Halt, resume and flatten are off on these pages: dashboard.controls = true, and beginning the pages again, enables them."
    " `myquant halt`, `myquant resume` and `myquant flatten` work all the same."
)
REAL: Final = "REAL ORDERS"
SIMULATED: Final = "Simulated orders"
AGAIN: Final = "Look again"
NO_SESSION: Final = "no session runs: there is nothing to ask"
GONE: Final = "the session is not known any more: look at the overview"
WORD_JOINER: Final = "\u2060"
SIGNED: Final = re.compile(f"([-+\u2212])(?={RUPEE})")


@dataclass
class Asked:
    """What somebody was shown and may have done: an action on some sessions, and a preview of each, by name."""

    action: Action
    previews: dict[str, Preview]

    @property
    def is_real(self) -> bool:
        """Whether any order that follows goes to a broker."""
        return any(each.is_real for each in self.previews.values())

    @property
    def name_wanted(self) -> str:
        """What is to be typed before it is done: the name of a session whose real position is sold; "": nothing."""
        return next(iter(self.previews)) if self.action == FLATTEN and self.is_real else ""


def asked_of(controls: Controls, views: Sequence[SessionView], action: Action) -> Asked:
    """Return what an action on some sessions will do. Raises MyquantError where one can't be asked."""
    if not views:
        raise MyquantError(NO_SESSION)
    return Asked(action, {view.name: controls.preview(view, action) for view in views})


def check(controls: Controls, views: Sequence[SessionView], asked: Asked) -> None:
    """Raise StaleError unless what was shown is still so, and of the same sessions."""
    if {view.name for view in views} != set(asked.previews):
        raise StaleError("other sessions run now than when this was shown: look again")
    for view in views:
        controls.check(view, asked.action, asked.previews[view.name].token)


async def carry_out(
    frame: Frame, views: Sequence[SessionView], asked: Asked, reason: str
) -> tuple[list[str], list[str]]:
    """Ask each session, all at once, where he who looks may still; return what they have answered, and what is wrong."""
    if why := why_not(frame):
        frame.note_act(f"{asked.action} refused", sessions=list(asked.previews), why=why)
        return [], [why]

    async def one(view: SessionView) -> tuple[str, bool]:
        frame.note_act(asked.action, session=view.name, reason=reason)
        try:
            message = await frame.site.controls.act(view, asked.action, reason, frame.who)
        except MyquantError as error:
            frame.note_act(f"{asked.action} failed", session=view.name, why=str(error))
            return f"{view.name}: {error}", False
        frame.note_act(f"{asked.action} done", session=view.name, answer=message)
        return f"{view.name}: {message}", True

    answers = await asyncio.gather(*map(one, views))
    return [text for text, is_done in answers if is_done], [text for text, is_done in answers if not is_done]


def why_not(frame: Frame) -> str:
    """Return why nothing can be done to a session here now; "": it can."""
    return frame.why_not() if frame.site.loaded.config.dashboard.controls else OFF


def build_controls(frame: Frame, view_of: Callable[[], SessionView | None]) -> None:
    """Add buttons that halt, resume and flatten a session; `view_of` returns what is known of it, None where nothing is."""
    _build(frame, ACTIONS, lambda: [view for view in (view_of(),) if view is not None])


def build_halt_all(frame: Frame) -> None:
    """Add a button that halts all sessions that run."""
    _build(frame, (HALT,), lambda: [view for view in frame.watch.views.values() if view.runs], "all sessions")


def _build(
    frame: Frame, actions: Sequence[str], views_of: Callable[[], list[SessionView]], about: str = "the session"
) -> None:
    reason = why_not(frame)
    if reason:
        ui.label(reason).classes("is-quiet")
        return
    place = _Place(frame, views_of)
    with ui.element("div").classes("actions").props(f'role=group aria-label="Acting on {about}"'):
        for action in actions:
            text = action.capitalize() if about == "the session" else f"{action.capitalize()} all"
            action_button(RowAction(text, "", place.ask), action)
    place.make_said()


class _Place:
    """The dialog behind some buttons, and what came of it."""

    def __init__(self, frame: Frame, views_of: Callable[[], list[SessionView]]) -> None:
        self._frame, self._views_of = frame, views_of
        self._asked: Asked | None = None
        self._is_stale = False
        self._said: LiveText | None = None
        self._dialog = Dialog("Confirm", "Confirm", self._confirm)
        with self._dialog.body:
            self._kind = LiveText("p")
            self._lines = LiveText("pre", "lines")
            self._lines.element.props("role=status aria-live=polite")
            self._reason = ui.input("Reason, kept in the session's log").props(
                f"maxlength={NOTE_MAX} outlined autofocus"
            )
            self._name = ui.input("Type the session's name").props("outlined autocomplete=off spellcheck=false")
        frame.each_update.append(self._update)

    def make_said(self) -> None:
        """Add the place where answers are shown."""
        self._said = LiveText("p", "said")
        self._said.element.props("role=status aria-live=polite")

    def ask(self, action: str) -> None:
        """Show what an action will do, and ask for it."""
        if why := why_not(self._frame):
            self._say(Cell(why, style="failed"))
            return
        try:
            self._show(asked_of(self._frame.site.controls, self._views_of(), cast("Action", action)))
        except MyquantError as error:
            self._say(Cell(str(error), style="failed"))
            return
        self._reason.set_value("")
        self._name.set_value("")
        self._name.set_visibility(self._asked is not None and bool(self._asked.name_wanted))
        self._dialog.open(self._headline(), action.capitalize())

    def _headline(self) -> str:
        if self._asked is None:
            return ""
        previews = list(self._asked.previews.values())
        if len(previews) == 1:
            return previews[0].headline
        return f"{self._asked.action.capitalize()} {counted(len(previews), 'session')} that run"

    def _show(self, asked: Asked) -> None:
        self._asked, self._is_stale = asked, False
        self._kind.show(Cell(f"■ {REAL}", style="real") if asked.is_real else Cell(SIMULATED, style="quiet"))
        self._lines.show(unbroken(preview_text(asked)))

    def _update(self) -> None:
        """Show prices as they come; what has changed otherwise has to be looked at anew."""
        asked = self._asked
        if asked is None or self._is_stale or not self._dialog.is_open:
            return
        controls, views = self._frame.site.controls, self._views_of()
        try:
            check(controls, views, asked)
            self._lines.show(unbroken(preview_text(asked_of(controls, views, asked.action))))
        except MyquantError as error:
            self._is_stale = True
            self._dialog.say(str(error))
            self._dialog.rename(AGAIN)

    async def _confirm(self) -> str:
        """Do it, where what was shown is still so; return why not."""
        asked, controls, views = self._asked, self._frame.site.controls, self._views_of()
        if asked is None:
            return GONE
        try:
            if self._is_stale:
                self._show(asked_of(controls, views, asked.action))
                self._dialog.rename(asked.action.capitalize())
                return "This is how it stands now: confirm it, or cancel."
            check(controls, views, asked)
        except MyquantError as error:
            self._is_stale = True
            self._dialog.rename(AGAIN)
            return str(error)
        if asked.name_wanted and str(self._name.value or "").strip() != asked.name_wanted:
            return f"Type the session's name first, as these are real orders: {asked.name_wanted}"
        done, failed = await carry_out(self._frame, views, asked, str(self._reason.value or "").strip())
        answered = clock_time(time.time_ns(), self._frame.zone)  # it stays on the page while the session goes on
        self._say(Cell(f"{answered}: {'; '.join([*done, *failed])}", style="failed" if failed else ""))
        return "; ".join(failed)

    def _say(self, cell: Cell) -> None:
        if self._said is not None:
            self._said.show(cell)


def unbroken(text: str) -> str:
    """Return a text in which no sign stands at the end of a line without its amount."""
    return SIGNED.sub(f"\\1{WORD_JOINER}", text)


def preview_text(asked: Asked) -> str:
    """Return what will happen, a line each; of several sessions with their names."""
    if len(asked.previews) == 1:
        return "\n".join(line for each in asked.previews.values() for line in each.lines)
    return "\n".join(
        f"{each.session} ({REAL if each.is_real else SIMULATED}): {' '.join(each.lines)}"
        for each in asked.previews.values()
    )
