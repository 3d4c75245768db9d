"""A process that serves all pages behind the guard, as `myquant dashboard` does; says on stdout where and what its routes are."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.routing import BaseRoute, Mount

from dashboard.doors import HASH, TOKEN, Lines
from monitor.made_views import loaded
from myquant.dashboard.access import Role
from myquant.dashboard.door import Door
from myquant.dashboard.guard import Guard
from myquant.dashboard.opening import Opening, listen, server_config
from myquant.dashboard.service import make_site


def routes_of(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each path with its methods and what it may be asked with, what is mounted included; of a mount itself none."""
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        if isinstance(route, Mount):
            yield path, [], []
            yield from routes_of(list(route.routes or ()), path.rstrip("/"))
        elif inner := getattr(route, "original_router", None):  # how FastAPI keeps a router that was included
            yield from routes_of(list(inner.routes), path)
        else:
            queries = [each.name for each in getattr(getattr(route, "dependant", None), "query_params", ())]
            yield path, sorted(getattr(route, "methods", None) or []), queries


async def serve(app: Any, door: Door, opening: Opening, routes: list[tuple[str, list[str], list[str]]]) -> None:
    listening = listen(opening.settings)
    port = listening.getsockname()[1]
    keys = {str(role): door.links.make(role) for role in Role} | {"walker": door.links.make(Role.VIEWER)}
    server = uvicorn.Server(server_config(Guard(app, door)))
    sys.stdout.write(json.dumps({"port": port, "keys": keys, "routes": routes}) + "\n")
    sys.stdout.flush()
    await server.serve(sockets=[listening])


def main(folder: Path) -> None:
    """Serve a folder of runs that is empty."""
    settings = loaded(dashboard__port=0, dashboard__password_hash=HASH)
    opening, log = Opening(settings.config.dashboard, TOKEN), Lines()
    door = Door(opening.settings, TOKEN, log)
    app = make_site(settings, [folder], folder / "state", door, log, {}, url="http://127.0.0.1")
    asyncio.run(serve(app, door, opening, list(routes_of(list(app.routes)))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
