"""A dialog that asks before something is done: the focus goes into it and back, Escape closes it, Tab stays in it."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from myquant.dashboard.components import Cell, LiveText, heading


class Dialog:
    """A dialog with a title, a body of one's own, and two buttons.

    Args:
        title: what it is, for those who hear it.
        confirm: what its button says.
        act: does it; returns why not, or "" where it is done: then the dialog closes.

    Attributes:
        body: what is asked stands in it.
        is_open: whether it is.
    """

    def __init__(self, title: str, confirm: str, act: Callable[[], Awaitable[str]]) -> None:
        self._act = act
        self._is_busy = False
        self._dialog = ui.dialog().props(f'aria-label="{title}"')
        with self._dialog, ui.element("div").classes("dialog"):
            heading_place = ui.element("div")
            self.body = ui.element("div").classes("asked")
            self._said = LiveText("p", "said")
            self._said.element.props("role=alert")
            with ui.element("div").classes("actions"):
                self._confirm = ui.element("button").props("type=button").classes("plain main")
                with self._confirm:
                    self._confirm_text = ui.label(confirm)
                self._confirm.on("click", self._do)
                with ui.element("button").props("type=button").classes("plain").on("click", self.close):
                    ui.label("Cancel")
        with heading_place:
            heading(title)
            self._title = LiveText("p", "about")

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return bool(self._dialog.value)

    def open(self, about: str = "", confirm: str = "") -> None:
        """Open it. `about`: what is asked, in a line; `confirm`: what its button says now."""
        self._title.show(about)
        self._said.show("")
        if confirm:
            self.rename(confirm)
        self._dialog.open()

    def rename(self, confirm: str) -> None:
        """Let its button say something else."""
        self._confirm_text.set_text(confirm)

    def close(self) -> None:
        """Close it."""
        self._dialog.close()

    def say(self, text: str) -> None:
        """Say what is wrong."""
        self._said.show(Cell(text, style="failed" if text else ""))

    async def _do(self) -> None:
        if self._is_busy or not self.is_open:  # a second click, or one that came late
            return
        self._is_busy = True
        self._confirm.props("aria-disabled=true")
        try:
            why_not = await self._act()
        finally:
            self._is_busy = False
            self._confirm.props(remove="aria-disabled")
        self.say(why_not)
        if not why_not:
            self.close()
