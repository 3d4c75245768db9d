"""The guard before everything that is served: nothing behind it is reached by whoever may not have it, no route and no socket.

Pure ASGI, and the outermost of all, so that what it does not let through is not even looked at by what serves pages.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from myquant.dashboard.access import Identity, Role
from myquant.dashboard.asked import Asked
from myquant.dashboard.door import Door

LOGIN: Final = "/login"
ENTER: Final = "/enter"
LOGOUT: Final = "/logout"
OPEN: Final = {LOGIN: ("GET", "HEAD", "POST"), ENTER: ("GET", "HEAD", "POST")}  # to everybody, and nothing else is
API: Final = "/api/"
ASSETS: Final = "/_nicegui/"
SOCKETS: Final = "/_nicegui_ws/"  # what a page says to its session on the server; it does not say what may be done
VIEWERS: Final = (LOGOUT,)  # what one who only looks may send
HEAD_BYTES_MAX: Final = 16_384  # of a request's line and fields
BODY_BYTES_MAX: Final = 2**20
BODY_S: Final = 10.0  # a request's body comes within it
POLICY_VIOLATION: Final = 1008  # code of a socket's end

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# NiceGUI's pages need inline scripts and styles, and templates that the browser compiles. Nothing comes from elsewhere.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all, a browser does not say either which origin a form is of
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Guard:
    """Lets a request through to the app, with who makes it in `scope["state"]["identity"]`, or answers it itself.

    Args:
        app: what is guarded.
        door: who may come in.

    Attributes:
        app: as given.
    """

    def __init__(self, app: App, door: Door) -> None:
        self.app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        asked = Asked.of(scope)
        found = self._judged(asked)
        if not isinstance(found, Response):
            scope["state"] = {**scope.get("state", {}), "identity": found}
            scope["headers"] = [field for field in scope["headers"] if not _is_forwarded(field[0])]
        if scope["type"] == "websocket":
            if isinstance(found, Identity):
                await self._serve_socket(found, scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})  # before it is accepted: a 403
            return
        body = _Body(receive)
        safe = _Answer(asked, body, send)
        app: App = found if isinstance(found, Response) else self.app
        try:
            await app(scope, body.receive, safe.send)
        except _BodyError as error:
            if not safe.is_begun:
                body.error = None
                await _refused(error.status, str(error))(scope, receive, safe.send)
        except RuntimeError:  # what serves pages says so of an answer that nobody waits for any more
            if not body.is_gone:
                raise

    def _judged(self, asked: Asked) -> Identity | Response | None:
        """Return who asks, None for anybody at the login, or the refusal."""
        settings = self._door.settings
        if asked.head_bytes > HEAD_BYTES_MAX:
            return _refused(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"at most {HEAD_BYTES_MAX:,} bytes of fields are taken"
            )
        if asked.repeated:
            return _refused(HTTPStatus.BAD_REQUEST, f"the field {asked.repeated} must not come twice")
        if not asked.is_for(settings.host, settings.names):
            self._note(asked, "refused: sent to a name that is not of this machine")
            return _refused(HTTPStatus.FORBIDDEN, "this name is none of this machine's: see dashboard.names")
        if asked.is_drawn_in():
            self._note(asked, "refused: sent by a page of elsewhere")
            return _refused(HTTPStatus.FORBIDDEN, "pages of elsewhere can't load this")
        size = asked.fields.get("content-length", "0")
        if not size.isascii() or not size.isdigit() or len(size) > 12 or int(size) > BODY_BYTES_MAX:
            return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {BODY_BYTES_MAX:,} bytes are taken")
        is_open = asked.method in OPEN.get(asked.path, ())
        identity = None if is_open else self._identity(asked)
        if not is_open and identity is None:
            return self._stranger(asked)
        is_program = identity is not None and identity.how == "token" and not asked.cookie_values()
        if not (asked.is_read or is_program or asked.is_same_origin()):
            self._note(asked, "refused: sent by a page of elsewhere")
            return _refused(HTTPStatus.FORBIDDEN, "this was not sent by a page of this server's own")
        if identity is not None and not _may(identity.role, asked):
            self._note(asked, "refused: a viewer looks only")
            return _refused(HTTPStatus.FORBIDDEN, "viewers look, and do nothing")
        return identity

    def _identity(self, asked: Asked) -> Identity | None:
        """Return who asks, by token or cookie; None: nobody who is known."""
        if (token := asked.token) is not None:
            if self._door.is_token(token):
                return Identity(Role.OPERATOR, "token", asked.address)
            self._note(asked, "refused: wrong token")
            return None
        for secret in asked.cookie_values():
            if (login := self._door.logins.find(secret)) is not None:
                return Identity(login.role, login.how, asked.address, login)
        return None

    def _stranger(self, asked: Asked) -> Response:
        if asked.wants_page and not asked.path.startswith((API, ASSETS, SOCKETS)):
            return RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
        response = _refused(HTTPStatus.UNAUTHORIZED, "log in, or give the token")
        response.headers["www-authenticate"] = "Bearer"
        return response

    def _note(self, asked: Asked, what: str) -> None:
        self._door.note_refused(what, asked.address, path=asked.path)

    async def _serve_socket(self, identity: Identity, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a socket served as long as the login lasts that it was opened with."""
        login = identity.login
        if login is None:
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        login.on_end.add(end)
        timer = loop.call_later(self._door.logins.left_s(login), end)
        try:
            await self.app(scope, _Watched(receive, send, over).receive, send)
        finally:
            timer.cancel()
            login.on_end.discard(end)
            end()


class _Watched:
    """What comes on a socket, until the login is over: then the socket is closed, and the app told so."""

    def __init__(self, receive: Receive, send: Send, over: asyncio.Future[None]) -> None:
        self._receive, self._send, self._over = receive, send, over
        self._waiting: asyncio.Future[Message] | None = None

    async def receive(self) -> Message:
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._receive())
        try:
            waited: tuple[asyncio.Future[Any], ...] = (self._waiting, self._over)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._waiting.cancel()
            raise
        if not self._over.done():
            task, self._waiting = self._waiting, None
            return task.result()
        self._waiting.cancel()
        with suppress(RuntimeError, OSError):  # it was closed already
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "logged out"})
        return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}


class _BodyError(Exception):
    """A body that is too long or too slow."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Body:
    """The body of a request, in bounds.

    Attributes:
        error: why no more of it was taken; None: it was.
        is_gone: whoever asked has left.
    """

    def __init__(self, receive: Receive) -> None:
        self.error: _BodyError | None = None
        self.is_gone = False
        self._receive = receive
        self._bytes = 0
        self._ends_s = asyncio.get_running_loop().time() + BODY_S
        self._is_whole = False

    async def receive(self) -> Message:
        if self._is_whole:
            message = await self._receive()
            self.is_gone = self.is_gone or message["type"] == "http.disconnect"
            return message
        try:
            async with asyncio.timeout_at(self._ends_s):
                message = await self._receive()
        except TimeoutError:
            raise self._broken(HTTPStatus.REQUEST_TIMEOUT, f"the request did not come within {BODY_S:g} s") from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > BODY_BYTES_MAX:
            raise self._broken(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {BODY_BYTES_MAX:,} bytes are taken")
        self.is_gone = message["type"] == "http.disconnect"
        self._is_whole = self.is_gone or not message.get("more_body", False)
        return message

    def _broken(self, status: HTTPStatus, text: str) -> _BodyError:
        self.error = _BodyError(status, text)
        return self.error


class _Answer:
    """What is sent, with the fields that every answer has.

    What the app says of a body that was not taken, be it an error of its own, is not sent.

    Attributes:
        is_begun: something was sent.
    """

    def __init__(self, asked: Asked, body: _Body, send: Send) -> None:
        self.is_begun = False
        self._is_asset = asked.path.startswith(ASSETS)
        self._body, self._send = body, send

    async def send(self, message: Message) -> None:
        if self._body.error is not None and not self.is_begun:
            raise self._body.error
        if message["type"] == "http.response.start":
            self.is_begun = True
            message = {**message, "headers": self._headers(message)}
        await self._send(message)

    def _headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        fields = [(name.lower(), value) for name, value in message.get("headers", ())]
        names = {name.decode("latin-1") for name, _ in fields}
        added = dict(HEADERS)
        if "content-security-policy" not in names:
            added["content-security-policy"] = PAGE_POLICY
        if not (self._is_asset and message["status"] == HTTPStatus.OK):
            added["cache-control"] = "no-store"
        if message["status"] in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            added["connection"] = "close"
        kept = [(name, value) for name, value in fields if name.decode("latin-1") not in added and name != b"server"]
        return [*kept, *((name.encode(), value.encode()) for name, value in added.items())]


def _may(role: Role, asked: Asked) -> bool:
    """Return whether a role may ask for something: a viewer reads. What a page's own buttons do, pages decide by its identity."""
    is_page = asked.is_socket or asked.path.startswith(SOCKETS)
    return role is Role.OPERATOR or asked.is_read or is_page or asked.path in VIEWERS


def _refused(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


def _is_forwarded(name: bytes) -> bool:
    """Return whether a field is one of those that a server in between writes, which anybody can write, too."""
    return name.lower().startswith((b"x-forwarded-", b"forwarded", b"x-real-ip"))
