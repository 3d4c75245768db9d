"""Parts of pages: elements whose texts change in place, so that focus, selection and a screen reader's place outlive an update."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from nicegui import ui

from myquant.monitor.finding import CRITICAL, DEGRADED, FAILED, INFO, OK, WARNING

# A light is a shape and a word; its colour only repeats them.
SHAPES: Final = {OK: "●", DEGRADED: "▲", FAILED: "■", INFO: "●", WARNING: "▲", CRITICAL: "■"}
UNKNOWN_SHAPE: Final = "○"
CODE: Final = re.compile(r"`([^`\n]+)`")
ROWS_SHOWN: Final = 15  # of a table that can be long, until somebody asks for the others


@dataclass(frozen=True)
class Cell:
    """What stands in a cell: a text, where it leads, and what it is (`ok`, `degraded`, `failed`, `gain`, `loss`...: a style)."""

    text: str
    href: str = ""
    style: str = ""

    @property
    def is_coded(self) -> bool:
        """Whether something in its text is to be typed: it stands between backticks."""
        return not self.href and "`" in self.text


Row = tuple[str, Sequence[Cell | str]]  # a key that tells it from all others, and its cells


def light(verdict: str, text: str = "") -> Cell:
    """Return a verdict or severity as a cell: shape and word."""
    shape = SHAPES.get(verdict, UNKNOWN_SHAPE)
    return Cell(f"{shape} {text or verdict}", style=verdict if verdict in SHAPES else "unknown")


def pnl(text: str) -> Cell:
    """Return a signed amount as a cell."""
    return Cell(text, style="loss" if text[:1] in {"-", "\N{MINUS SIGN}"} else "gain" if text[:1] == "+" else "")


def coded(text: str) -> str:
    """Return a text as HTML: what is to be typed stands out instead of between backticks."""
    return CODE.sub(r"<code>\1</code>", escape(text))


class LiveText:
    """An element that shows a text, or a link; it changes only where something is new."""

    def __init__(self, tag: str = "span", classes: str = "", label: str = "") -> None:
        self.element = ui.element(tag).classes(classes)
        if label:  # what a narrow screen shows before it
            self.element.props["data-label"] = label
        self._own = classes
        self._shown: Cell | None = None
        self._inner: ui.label | ui.link | ui.html | None = None

    def show(self, cell: Cell | str) -> None:
        """Show a text."""
        cell = cell if isinstance(cell, Cell) else Cell(cell)
        before, self._shown = self._shown, cell
        if cell == before:
            return
        if self._inner is None or before is None or (cell.href, cell.is_coded) != (before.href, before.is_coded):
            self.element.clear()
            with self.element:
                self._inner = _inner_of(cell)
        elif isinstance(self._inner, ui.html):
            self._inner.set_content(coded(cell.text))
        elif cell.text != before.text:
            self._inner.set_text(cell.text)
        if cell.style != (before.style if before is not None else ""):
            self.element.classes(replace=f"{self._own} is-{cell.style}" if cell.style else self._own)


def _inner_of(cell: Cell) -> ui.label | ui.link | ui.html:
    if cell.href:
        return ui.link(cell.text, cell.href)
    return ui.html(coded(cell.text), sanitize=False) if cell.is_coded else ui.label(cell.text)


@dataclass(frozen=True)
class RowAction:
    """A button in each row. `about`: what it is done to, for those who hear it: `Acknowledge alert 12`, or ""; `act`: takes a row's key.

    `why_not`: why nobody here may; "": he may.
    """

    text: str
    about: str
    act: Callable[[str], object]
    why_not: str = ""


class LiveTable:
    """A table of cells whose rows come, change and go in place.

    Args:
        columns: their headings; one that begins with `#` holds figures, which stand to the right.
        caption: what it shows, for those who hear it.
        empty: what is said where there is no row.
        action: what can be done to a row, in a column of its own.
        most: rows that are shown until somebody asks for more; None: all. A browser takes a second for some thousand cells.
    """

    def __init__(
        self,
        columns: Sequence[str],
        caption: str,
        empty: str = "nothing",
        action: RowAction | None = None,
        most: int | None = None,
    ) -> None:
        self._most = most
        self._given: Sequence[Row] = ()
        self._columns = [(name.removeprefix("#"), name.startswith("#")) for name in columns]
        self._action = action
        self._rows: dict[str, tuple[ui.element, list[LiveText]]] = {}
        with ui.element("div").classes("scroll").props(f'tabindex=0 role=region aria-label="{caption}"'):
            with ui.element("table"):
                with ui.element("caption"):
                    ui.label(caption)
                with ui.element("thead"), ui.element("tr"):
                    for name, is_figure in self._columns:
                        with ui.element("th").props("scope=col").classes("figure" if is_figure else ""):
                            ui.label(name)
                    if action is not None:
                        with ui.element("th").props("scope=col"):
                            ui.label(action.text)
                self._body = ui.element("tbody")
            self._empty = ui.label(empty).classes("empty")
        self._more = ui.button(on_click=self._show_more, color=None).classes("plain")
        self._more.set_visibility(False)
        self._empty.set_visibility(False)  # before the first rows are shown nothing is known, be there none

    def show(self, rows: Sequence[Row]) -> None:
        """Show rows in this order; those whose key is gone go."""
        self._given = rows
        rows = rows[: self._most]
        left = len(self._given) - len(rows)
        self._more.set_visibility(left > 0)
        if left:
            self._more.set_text(f"Show {left:,} more")
        keys = {key for key, _ in rows}
        for key in [key for key in self._rows if key not in keys]:
            self._rows.pop(key)[0].delete()
        for place, (key, cells) in enumerate(rows):
            if key not in self._rows:
                self._rows[key] = self._new_row(key)
            row, texts = self._rows[key]
            for text, cell in zip(texts, cells, strict=True):
                text.show(cell)
            if row.parent_slot is not None and row.parent_slot.children.index(row) != place:
                row.move(target_index=place)
        self._empty.set_visibility(not rows)

    def _show_more(self) -> None:
        self._most = None
        self.show(self._given)

    def _new_row(self, key: str) -> tuple[ui.element, list[LiveText]]:
        with self._body:
            row = ui.element("tr")
        with row:
            texts = [LiveText("td", "figure" if is_figure else "", name) for name, is_figure in self._columns]
            if self._action is not None:
                with ui.element("td").classes("acts"):
                    action_button(self._action, key)
        return row, texts


class Facts:
    """Names and what they are, as a list of definitions."""

    def __init__(self) -> None:
        self._list = ui.element("dl").classes("facts")
        self._texts: dict[str, LiveText] = {}

    def show(self, facts: Mapping[str, Cell | str]) -> None:
        """Show facts, by their names."""
        for name, cell in facts.items():
            if name not in self._texts:
                with self._list, ui.element("div"):
                    with ui.element("dt"):
                        ui.label(name)
                    self._texts[name] = LiveText("dd")
            self._texts[name].show(cell)


def action_button(action: RowAction, key: str) -> None:
    """Add the button of an action on one thing; where nobody here may, it can be reached, says why and does nothing."""
    button = ui.element("button").props("type=button").classes("plain")
    if action.about:
        button.props["aria-label"] = f"{action.text} {action.about} {key}"
    with button:
        ui.label(action.text)
    if action.why_not:
        button.props["aria-disabled"] = "true"
        button.props["title"] = action.why_not
    else:
        button.on("click", lambda: action.act(key))


def heading(text: str, level: int = 2) -> None:
    """Begin a part of a page."""
    with ui.element(f"h{level}"):
        ui.label(text)
