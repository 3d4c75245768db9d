"""A process that serves a page of NiceGUI's behind the guard, as the pages are served; says on stdout where and what its routes are."""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from nicegui import ui
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount

from dashboard.doors import HASH, TOKEN, Lines, MadeFacts
from monitor.made_views import loaded
from myquant.dashboard.access import Role, identity_of
from myquant.dashboard.api import make_app
from myquant.dashboard.controls import Controls
from myquant.dashboard.door import Door
from myquant.dashboard.guard import Guard
from myquant.dashboard.login import login_router
from myquant.dashboard.opening import Opening, listen, server_config


@ui.page("/")
def home(request: Request) -> None:
    ui.label(f"seen by {identity_of(request.scope).who}")
    label = ui.label("not pressed")
    ui.button("Press", on_click=lambda: label.set_text("pressed"))
    ui.timer(0.2, lambda: label.set_visibility(True))


def routes_of(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield each path with its methods, those of what is mounted included; of a mount itself none."""
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        if isinstance(route, Mount):
            yield path, []
            yield from routes_of(list(route.routes or ()), path.rstrip("/"))
        elif isinstance(inner := getattr(route, "original_router", None) or getattr(route, "router", None), object) and hasattr(inner, "routes"):
            yield from routes_of(list(inner.routes), path)
        else:
            yield path, sorted(getattr(route, "methods", None) or [])


async def serve(app: Any, door: Door, opening: Opening, routes: list[tuple[str, list[str]]]) -> None:
    listening = listen(opening.settings)
    port = listening.getsockname()[1]
    keys = {str(role): door.links.make(role) for role in Role}
    server = uvicorn.Server(server_config(Guard(app, door), opening))
    print(json.dumps({"port": port, "keys": keys, "routes": routes}), flush=True)
    await server.serve(sockets=[listening])


def main() -> None:
    settings = loaded(dashboard__port=0, dashboard__password_hash=HASH, **dict(each.split("=", 1) for each in sys.argv[1:]))
    opening = Opening(settings.config.dashboard, TOKEN)
    door = Door(opening.settings, TOKEN, Lines())
    app = make_app(door, MadeFacts(), Controls(), lambda: "http://127.0.0.1")
    app.include_router(login_router(door))
    ui.run_with(app, title="myquant", show_welcome_message=False, tailwind=False)
    asyncio.run(serve(app, door, opening, list(routes_of(list(app.routes)))))


if __name__ == "__main__":
    main()
