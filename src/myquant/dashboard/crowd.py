"""How many pages may be open: each holds memory here, and is updated once a second."""

from http import HTTPStatus
from typing import Final

from nicegui import Client
from starlette.exceptions import HTTPException

from myquant.dashboard.access import Login

PAGES_MAX: Final = 128  # of all who look
LOGIN_PAGES_MAX: Final = 32  # of one login; of all programs with the token likewise
FULL: Final = "too many pages are open: close some, and wait a minute"


def refuse_crowd(login: Login | None) -> None:
    """Raise HTTPException, 503, where too many pages are open, be it of a login; the one that is being made counts."""
    logins = [_login_of(client) for client in tuple(Client.instances.values())]
    if len(logins) > PAGES_MAX or sum(each is login for each in logins) > LOGIN_PAGES_MAX:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, FULL)


def _login_of(client: Client) -> Login | None:
    """Return the login that a page was opened with; None: a program's."""
    try:
        state = client.request.scope.get("state", {})
    except RuntimeError:  # one that no request has made
        return None
    login: Login | None = getattr(state.get("identity"), "login", None)
    return login
