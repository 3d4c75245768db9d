"""How many pages may be open: each holds memory here, and is updated once a second. What is refused, or not there, holds none."""

from http import HTTPStatus
from typing import Final

from fastapi import Request
from fastapi.responses import PlainTextResponse
from nicegui import Client, core, ui
from starlette.exceptions import HTTPException

from myquant.dashboard.access import Login

PAGES_MAX: Final = 128  # of all who look
LOGIN_PAGES_MAX: Final = 32  # of one login; of all programs with the token likewise
NOT_THERE: Final = "there is no such page: the overview is at /\n"
FULL: Final = "too many pages are open: close some, and wait a minute"


def refuse_crowd(login: Login | None) -> None:
    """Raise HTTPException, 503, where too many pages are open, be it of a login; the one that is being made counts, and is gone then."""
    logins = [_login_of(client) for client in tuple(Client.instances.values())]
    if len(logins) > PAGES_MAX or sum(each is login for each in logins) > LOGIN_PAGES_MAX:
        ui.context.client.delete()  # else it would be kept for a minute, as it waits for a browser
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, FULL)


def _login_of(client: Client) -> Login | None:
    """Return the login that a page was opened with; None: a program's."""
    try:
        state = client.request.scope.get("state", {})
    except RuntimeError:  # one that no request has made
        return None
    login: Login | None = getattr(state.get("identity"), "login", None)
    return login


def make_no_page_of_nothing() -> None:
    """Have the library answer what is not there in plain text: its own answer is a page, which counts as open for a minute."""
    core.app.exception_handlers[HTTPStatus.NOT_FOUND] = _not_there


async def _not_there(_request: Request, _error: Exception) -> PlainTextResponse:
    return PlainTextResponse(NOT_THERE, HTTPStatus.NOT_FOUND)
