"""The ways in and out for people: the login page, links that let in once, and the logout. Plain pages without a script."""

import math
import secrets
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from myquant.dashboard.access import Identity, identity_of
from myquant.dashboard.asked import FORM, SAFE_PREFIX, Asked
from myquant.dashboard.door import Door
from myquant.dashboard.guard import ENTER, LOGIN, LOGOUT
from myquant.results.text import counted

HOME: Final = "/"
FIELDS_MAX: Final = 8
FORM_BYTES_MAX: Final = 16_384
FORM_S: Final = 3600  # a form may lie open for so long
KEY_MAX: Final = 200
NO_LINK: Final = "This link was used already, or is older than ten minutes. Get a new one: myquant dashboard link"
NO_PASSWORD: Final = "No password is set here: a link lets you in."  # noqa: S105  (a text)
STALE: Final = "The form was open for too long, or cookies are not kept. Try again."
WRONG: Final = "This is not the password."

_PAGES: Final = Environment(
    loader=PackageLoader("myquant.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def login_router(door: Door) -> APIRouter:
    """Return the routes of a door: /login, /enter and /logout. The guard stands before them."""
    router = APIRouter(include_in_schema=False)
    _add_login(router, door)
    _add_links(router, door)
    _add_logout(router, door)
    return router


def _add_login(router: APIRouter, door: Door) -> None:
    @router.get(LOGIN)
    @router.head(LOGIN)
    async def login_page(request: Request) -> Response:
        return _login(door, request, "" if door.has_passwords else NO_PASSWORD)

    @router.post(LOGIN)
    async def log_in(request: Request) -> Response:
        fields = await _fields(request)
        if not _fits(door, request, fields):
            return _login(door, request, STALE, HTTPStatus.FORBIDDEN)
        tried = await door.try_password(fields.get("password", ""), Asked.of(request.scope).address)
        if tried.secret:
            return _let_in(door, request, tried.secret)
        if tried.wait_s <= 0:
            return _login(door, request, WRONG, HTTPStatus.FORBIDDEN)
        wait_s = math.ceil(tried.wait_s)
        response = _login(
            door,
            request,
            f"Too many wrong passwords. Wait {counted(wait_s, 'second')}, then try again; a link lets you in at once.",
            HTTPStatus.TOO_MANY_REQUESTS,
        )
        response.headers["retry-after"] = str(wait_s)
        return response


def _add_links(router: APIRouter, door: Door) -> None:
    @router.get(ENTER)
    @router.head(ENTER)
    async def enter_page(request: Request) -> Response:
        key = request.query_params.get("key", "")[:KEY_MAX]
        if not door.links.is_good(key):
            return _login(door, request, NO_LINK, HTTPStatus.FORBIDDEN)
        return _page(door, request, "enter.html.j2", HTTPStatus.OK, key=key)

    @router.post(ENTER)
    async def enter(request: Request) -> Response:
        fields = await _fields(request)
        if not _fits(door, request, fields):
            return _login(door, request, STALE, HTTPStatus.FORBIDDEN)
        secret = door.take_link(fields.get("key", "")[:KEY_MAX], Asked.of(request.scope).address)
        return _let_in(door, request, secret) if secret else _login(door, request, NO_LINK, HTTPStatus.FORBIDDEN)


def _add_logout(router: APIRouter, door: Door) -> None:
    @router.post(LOGOUT)
    async def log_out(request: Request) -> Response:
        identity: Identity = identity_of(request.scope)
        if identity.login is not None:
            door.log_out(identity.login, identity.address)
        response = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
        name = Asked.of(request.scope).cookie_name()
        response.delete_cookie(name, httponly=True, samesite="strict")
        response.delete_cookie(f"{SAFE_PREFIX}{name}", secure=True, httponly=True, samesite="strict")
        return response


def _login(door: Door, request: Request, error: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return _page(door, request, "login.html.j2", status, error=error, has_passwords=door.has_passwords)


def _page(door: Door, request: Request, name: str, status: HTTPStatus, **facts: object) -> Response:
    """Return a page with a form that only this browser can send."""
    asked = Asked.of(request.scope)
    cookie = next((value for value in asked.cookie_values(FORM) if value), "") or secrets.token_urlsafe(32)
    nonce = secrets.token_urlsafe(16)
    page = _PAGES.get_template(name).render(nonce=nonce, form=door.forms.of(cookie), **facts)
    response = HTMLResponse(page, status)
    response.headers["content-security-policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    _set_cookie(response, asked, cookie, FORM_S, FORM)
    return response


def _let_in(door: Door, request: Request, secret: str) -> Response:
    response = RedirectResponse(HOME, HTTPStatus.SEE_OTHER)
    _set_cookie(response, Asked.of(request.scope), secret, int(door.logins.login_s))
    return response


def _set_cookie(response: Response, asked: Asked, value: str, life_s: int, kind: str = "") -> None:
    """Set a cookie; one that https set for the form goes on to be used, though a GET does not say that it came by https."""
    name = asked.cookie_name(kind)
    is_safe = asked.is_https or any(key == f"{SAFE_PREFIX}{name}" for key, _ in asked.cookies)
    if is_safe:
        name = f"{SAFE_PREFIX}{name}"
    response.set_cookie(name, value, max_age=max(1, life_s), path="/", secure=is_safe, httponly=True, samesite="strict")


def _fits(door: Door, request: Request, fields: dict[str, str]) -> bool:
    token = fields.get("form", "")
    return any(door.forms.fits(token, cookie) for cookie in Asked.of(request.scope).cookie_values(FORM))


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a form; none where it is none, or too long."""
    body = await request.body()
    if len(body) > FORM_BYTES_MAX:
        return {}
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}
