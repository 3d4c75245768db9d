"""A page hears its own sockets only, and a socket is a page's own if it came with the login that the page was made for.

The library of pages takes what comes for the page that the message names, whoever sends it. Names of pages are random, and yet: whoever
found one in a log could press an operator's buttons as a viewer.
"""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final
from urllib.parse import parse_qs

from nicegui import Client, app, core
from socketio.exceptions import ConnectionRefusedError as Refused

from myquant.dashboard.access import identity_of

Handler = Callable[..., Any]

NAMESPACE: Final = "/"
PAGE: Final = "client_id"
OPENED, CLOSED, SHAKES_HANDS = "connect", "disconnect", "handshake"
REFUSED: Final = "Implicit handshake failed"  # what the library says where a page is gone: the browser loads it again
TRANSPORT: Final = "websocket"  # the other one is requests one by one, which a login's end would not end
_THEIRS: Final[dict[str, Handler]] = dict(core.sio.handlers[NAMESPACE])


def hold_to_their_own() -> None:
    """Have the library refuse what a socket sends for a page that is not its own. It holds for all that this process serves."""
    core.sio.eio.transports = [TRANSPORT]
    app.config.socket_io_js_transports = [TRANSPORT]
    for name, handler in _THEIRS.items():
        if name == OPENED:
            core.sio.on(name, _opened(handler))
        elif name != CLOSED:
            core.sio.on(name, _held(handler, _has_its_login if name == SHAKES_HANDS else _is_own))


def _opened(theirs: Handler) -> Handler:
    """Return what is done with a socket that names its page when it is opened."""

    async def opened(socket: str, environ: dict[str, Any], *others: Any) -> Any:
        for page in parse_qs(environ.get("QUERY_STRING", "")).get(PAGE, ()):
            if not _has_its_login(socket, page):
                raise Refused(REFUSED)
        return await _done(theirs(socket, environ, *others))

    return opened


def _held(theirs: Handler, may: Callable[[str, str], bool]) -> Handler:
    async def held(socket: str, message: object = None) -> Any:
        page = message.get(PAGE) if isinstance(message, dict) else None
        return await _done(theirs(socket, message)) if isinstance(page, str) and may(socket, page) else False

    return held


def _is_own(socket: str, page: str) -> bool:
    """Return whether a socket has shaken hands for a page."""
    return page in core.sio.rooms(socket)


def _has_its_login(socket: str, page: str) -> bool:
    """Return whether a socket came with the login that a page was made for; of one that is gone the library says so."""
    client = Client.instances.get(page)
    if client is None:
        return True
    came, made = (identity_of(scope) for scope in (core.sio.get_environ(socket)["asgi.scope"], client.request.scope))
    return (came.login, came.how) == (made.login, made.how)


async def _done(result: Awaitable[Any] | Any) -> Any:
    return await result if isawaitable(result) else result
