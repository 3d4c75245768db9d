"""The API: what the pages show as JSON, and what may be done there. The guard stands before it; OpenAPI: /api/openapi.json.

Deciding routes ask who makes the request: one who only looks gets no further than the guard.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, FastAPI, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from myquant.dashboard.access import Identity, Role, identity_of
from myquant.dashboard.answers import JsonResponse, RefusedError, add_refusals
from myquant.dashboard.controls import NOTE_MAX as REASON_MAX
from myquant.dashboard.controls import Action, Controls, StaleError
from myquant.dashboard.door import Door
from myquant.dashboard.facts import Facts, LogSearch
from myquant.dashboard.guard import ENTER
from myquant.dashboard.log_search import LINES_MAX
from myquant.errors import MyquantError
from myquant.execution.report import execution_of
from myquant.monitor.alert_list import NOTE_MAX
from myquant.monitor.view import SessionView

OPENAPI: Final = "/api/openapi.json"
NAME_MAX: Final = 200
NAMES_MAX: Final = 64
TIME_NS_MAX: Final = 2**63 - 1
TEXT_MAX: Final = 200  # that is looked for in logs
DISABLED: Final = "nothing may be asked of a session from here: dashboard.controls is false, or you may only look"
TEST_S: Final = 10.0  # from one test of the channels to the next

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"description": text}
    for code, text in {
        400: "The request can't be understood.",
        401: "Nobody is logged in, and there is no token.",
        403: "Not allowed: a viewer, a page of elsewhere, or dashboard.controls is false.",
        404: "There is no such thing.",
        409: "It can't be done now: the detail says why.",
        413: "More than 1 MiB was sent.",
        422: "A parameter is not what it must be.",
        429: "Too often: wait.",
    }.items()
}


def _is_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable characters on one line")
    return text


Name = Annotated[str, Path(max_length=NAME_MAX, description="Of a session, as /api/sessions has it.")]
Line = Annotated[str, AfterValidator(_is_printable)]
TimeNs = Annotated[int, Query(ge=0, le=TIME_NS_MAX, description="ns since the epoch, UTC.")]
T = TypeVar("T")


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Note(_Body):
    """What to keep with an alert; "": nothing new."""

    note: Annotated[Line, Field(max_length=NOTE_MAX)] = ""


class Order(_Body):
    """An action of which somebody has seen what it does: `confirm` is the token of its preview."""

    confirm: Annotated[str, Field(max_length=200)]
    reason: Annotated[Line, Field(max_length=REASON_MAX)] = ""


class LinkWish(_Body):
    """For whom a link is."""

    role: Literal["viewer", "operator"] = "operator"


def make_app(door: Door, facts: Facts, controls: Controls, url: Callable[[], str]) -> FastAPI:
    """Return the app with the API, for the routes of the login and the pages to be added; the guard goes around it.

    `url`: returns where the pages are served, for links.
    """
    app = FastAPI(title="myquant", docs_url=None, redoc_url=None, openapi_url=OPENAPI, redirect_slashes=False)
    add_refusals(app)
    app.include_router(_reporting(facts))  # first: a session's name may hold a slash
    app.include_router(_looking(facts, controls, door))
    app.include_router(_acting(facts, controls, door))
    app.include_router(_admitting(door, url))
    return app


def _router() -> APIRouter:
    return APIRouter(prefix="/api", responses=REFUSALS, default_response_class=JsonResponse)


def _looking(facts: Facts, controls: Controls, door: Door) -> APIRouter:
    """Return the routes that change nothing."""
    router = _router()

    @router.get("/health")
    async def health() -> Response:
        """Return how all sessions do."""
        return JsonResponse(facts.health())

    @router.get("/sessions")
    async def sessions() -> Response:
        """Return how each session stands, by name."""
        return JsonResponse(facts.health()["sessions"])

    @router.get("/sessions/{name:path}/preview/{action}")
    async def preview(name: Name, action: Action) -> Response:
        """Return what an action would do, in words, and the token that lets it be asked for."""
        shown = controls.preview(_found(facts.view(name)), action)
        return JsonResponse({**asdict(shown), "enabled": door.settings.controls})

    @router.get("/sessions/{name:path}")
    async def session(name: Name) -> Response:
        """Return what is known of one session."""
        return JsonResponse(_found(facts.session(name)))

    @router.get("/alerts")
    async def alerts(*, every: bool = False) -> Response:
        """Return the alerts that last; with `every` those that are over, too: the last 30 days."""
        return JsonResponse({"alerts": await asyncio.to_thread(lambda: facts.alerts(every=every))})

    @router.get("/logs")
    async def logs(
        since_ns: TimeNs = 0,
        until_ns: TimeNs | None = None,
        level: Literal["debug", "info", "warning", "error"] = "debug",
        text: Annotated[str, Query(max_length=TEXT_MAX)] = "",
        sessions: Annotated[list[str], Query(max_length=NAMES_MAX, description="Names; none: all.")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=LINES_MAX)] = 500,
    ) -> Response:
        """Return the last lines of the logs that are wanted, the oldest first."""
        found = await facts.search(sessions, LogSearch(since_ns, until_ns, level, text, limit))
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no log of that name")
        return JsonResponse(found._asdict())

    return router


def _reporting(facts: Facts) -> APIRouter:
    """Return the routes of what is made of files: reports, and the list of runs."""
    router = _router()
    reporting = asyncio.Semaphore(1)  # a day of five million ticks takes a second

    @router.get("/sessions/{name:path}/execution")
    async def execution(
        name: Name, day: Annotated[str, Query(max_length=10, description="ISO; none: the last one.")] = ""
    ) -> Response:
        """Return how the orders of a session's day were executed: what `myquant execution --json` prints."""
        folder = _found(facts.folder(name))
        async with reporting:
            return JsonResponse(await asyncio.to_thread(lambda: execution_of(folder, day or None).as_dict()))

    @router.get("/runs")
    async def runs(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        """Return the newest runs, how many there are, and as of when."""
        return JsonResponse(facts.runs(limit))

    return router


def _acting(facts: Facts, controls: Controls, door: Door) -> APIRouter:
    """Return the routes that do something."""
    router = _router()

    @router.post("/sessions/{name:path}/{action}")
    async def act(request: Request, name: Name, action: Action, order: Order) -> Response:
        """Halt, resume or flatten a session of which the preview was seen."""
        _operator(request)
        view, identity = _found(facts.view(name)), identity_of(request.scope)
        return JsonResponse({"message": await perform(controls, door, identity, view, action, order)})

    @router.post("/alerts/test")
    async def test_alerts(request: Request) -> Response:
        """Send a message through each channel; at most every ten seconds."""
        _operator(request)
        return JsonResponse({"channels": await testing()})

    @router.post("/alerts/{number}/ack")
    async def acknowledge(request: Request, number: Annotated[int, Path(ge=1, le=TIME_NS_MAX)], note: Note) -> Response:
        """Say that somebody sees to an alert."""
        _operator(request)
        if not await asyncio.to_thread(facts.acknowledge, number, note.note):
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such alert lasts")
        door.note_act("alert acknowledged", identity_of(request.scope), number=number, note=note.note)
        return JsonResponse({"acknowledged": number})

    testing = _Testing(facts)
    return router


async def perform(
    controls: Controls, door: Door, identity: Identity, view: SessionView, action: Action, order: Order
) -> str:
    """Have an action done that somebody has seen the preview of, log it, and return the session's answer.

    Raises RefusedError where things have changed since, or nothing may be done from here; MyquantError where the session refuses
    or is silent.
    """
    if not (door.settings.controls and identity.can_act):
        raise RefusedError(HTTPStatus.FORBIDDEN, DISABLED)
    try:
        controls.check(view, action, order.confirm)
    except StaleError as error:
        raise RefusedError(HTTPStatus.CONFLICT, str(error)) from None
    asked = {"session": view.name, "reason": order.reason}
    door.note_act(action, identity, **asked)
    try:
        message = await controls.act(view, action, order.reason, identity.who)
    except MyquantError as error:
        door.note_act(f"{action} failed", identity, **asked, why=str(error))
        raise
    door.note_act(f"{action} done", identity, **asked, answer=message)
    return message


def _admitting(door: Door, url: Callable[[], str]) -> APIRouter:
    """Return the route that makes links."""
    router = _router()

    @router.post("/links")
    async def link(request: Request, wish: LinkWish) -> Response:
        """Make a link that lets one browser in, once, within ten minutes."""
        _operator(request)
        role = Role(wish.role)
        door.note_act("link made", identity_of(request.scope), role=str(role))
        return JsonResponse({"url": f"{url()}{ENTER}?key={door.links.make(role)}"})

    return router


class _Testing:
    """A test of the channels, which costs and bothers people: one at a time, and not often."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._next_s = 0.0

    async def __call__(self) -> list[dict[str, Any]]:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._next_s:
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "the channels were tested just now: wait a little")
        self._next_s = now_s + TEST_S
        return await self._facts.test_alerts()


def _operator(request: Request) -> None:
    """Refuse one who only looks: the guard has done so already, and would be the only one."""
    if not identity_of(request.scope).can_act:
        raise RefusedError(HTTPStatus.FORBIDDEN, "viewers look, and do nothing")


def _found(thing: T | None) -> T:
    if thing is None:
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is no session of that name")
    return thing
