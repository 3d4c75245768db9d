"""Light or dark: what was chosen, what the browser shows, and the colours of pictures that go with it."""

from contextlib import suppress
from typing import Final

from fastapi import Request
from nicegui import ui

from myquant.dashboard.charts import DARK, LIGHT, Palette

# Cookies that the pages' script sets: "light" or "dark". Where nothing was chosen it is as the system has it.
CHOSEN: Final = "myquant_theme"
SHOWN: Final = "myquant_shown"
IS_DARK: Final = "document.body.classList.contains('body--dark')"
ANSWER_S: Final = 5.0
_PALETTES: Final = {"light": LIGHT, "dark": DARK}


def is_dark(request: Request) -> bool | None:
    """Return which one was chosen; None: as the system has it."""
    return {"light": False, "dark": True}.get(request.cookies.get(CHOSEN, ""))


def shown_theme(request: Request) -> str:
    """Return the one that the browser has said it shows where none was chosen; "": it has said nothing yet."""
    found = request.cookies.get(SHOWN, "")
    return found if found in _PALETTES else ""


def palette_of(request: Request) -> Palette | None:
    """Return the colours of pictures as a request tells them; None: by the first page that a browser opens nothing is told."""
    chosen = request.cookies.get(CHOSEN, "")
    return _PALETTES.get(chosen if chosen in _PALETTES else shown_theme(request))


async def ask_palette(request: Request) -> Palette:
    """Return the colours of pictures; a browser that has not told them is asked. One that does not answer gets those of the light theme."""
    palette = palette_of(request)
    if palette is None:
        with suppress(TimeoutError):
            return DARK if await ui.run_javascript(IS_DARK, timeout=ANSWER_S) else LIGHT
    return palette or LIGHT
