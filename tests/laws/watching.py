"""Where a setting of `[monitor]` shows: how the monitor listens, and how often it looks."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import make_mocked_request

from laws.driver import settings
from myquant.errors import MyquantError
from myquant.monitor.loop import Monitor
from myquant.monitor.server import MonitorServer

Values = Mapping[str, Any]


class Silent:
    """A log of nobody's."""

    def info(self, event: str, **fields: object) -> None:
        assert event or fields

    warning = error = info


def monitor_of(values: Values) -> Monitor:
    return Monitor(
        [],
        settings(values).config.monitor,
        judge=lambda *_: [],
        alerting=lambda *_: None,
        log=Silent(),
        mono_ns=lambda: 10**18,
    )


def listens(values: Values) -> tuple[str, int]:
    """Return where the monitor would listen."""
    found = []

    async def ask() -> None:
        async def taken(_: object, host: str, port: int, **__: object) -> None:
            found.append((host, port))
            raise OSError("taken")

        asyncio.get_running_loop().create_server = taken  # type: ignore[assignment,method-assign]
        monitor = monitor_of(values)
        await MonitorServer(monitor, monitor.settings, "token", lambda: (0, 0)).start()

    try:
        asyncio.run(ask())
    except MyquantError:
        return found[0]
    raise AssertionError("it listened")


def probe_of_a_stranger(values: Values) -> int:
    """Return what is answered to one who has no token and asks whether the monitor lives."""
    monitor = monitor_of(values)
    server = MonitorServer(monitor, monitor.settings, "token", lambda: (0, 0))
    request = make_mocked_request("GET", "/healthz", headers={"Host": "127.0.0.1"})
    return asyncio.run(server._answer(request)).status


def pause(values: Values) -> float:
    """Return how long the monitor waits from one look to the next."""
    found: list[float] = []

    async def run() -> None:
        end = asyncio.Event()

        async def wait_for(waiting: Awaitable[Any], timeout_s: float) -> None:
            found.append(timeout_s)
            end.set()
            await waiting

        with patch("myquant.monitor.loop.asyncio.wait_for", wait_for):
            await monitor_of(values).run(end)

    asyncio.run(run())
    return found[0]
