"""What the monitor answers over HTTP: whether it lives, how sessions do, and metrics. It takes no orders: GET is all there is.

/healthz   ok, as long as the monitor's loop turns
/readyz    ok, once all was looked at, as long as looks are on time and what is told is kept; else 503
/health    how sessions do, as JSON; 503 where that is failed
/metrics   for Prometheus
"""

import asyncio
import hmac
import ipaddress
import logging
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from myquant.brokers.secrets import Keyring, chosen_token
from myquant.config.watching import MonitorSettings
from myquant.errors import ConfigError, MyquantError
from myquant.monitor.finding import FAILED
from myquant.monitor.health import health_of
from myquant.monitor.loop import Monitor
from myquant.monitor.metrics import AlertCounts, SessionCollector

HEALTHZ: Final = "/healthz"
READYZ: Final = "/readyz"
HEALTH: Final = "/health"
METRICS: Final = "/metrics"
PROBES: Final = (HEALTHZ, READYZ)
ROUTES: Final = (*PROBES, HEALTH, METRICS)
OTHER: Final = "other"

TOKEN_BYTES: Final = 32
CONNECTIONS_MAX: Final = 64
CONNECTION_S: Final = 60.0  # so long a connection lives, whatever comes on it
SWEEP_S: Final = 1.0
LINE_BYTES_MAX: Final = 2048
BODY_BYTES_MAX: Final = 1024
CLOSING_S: Final = 1.0
_SAFE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class MonitorServer:
    """Answers for a monitor, on the loop that started it.

    Args:
        monitor: what is asked about.
        settings: where to listen, and whether probes need a token.
        token: what `Authorization: Bearer` has to say.
        alert_counts: returns what those who alert count.
        clocks: returns the wall clock and the monotonic one, ns.
        unready: returns why the monitor can't be relied upon, in words that anybody may read; "": it can.

    Attributes:
        requests: by route and code.
        port: where it listens, once it does.
    """

    def __init__(
        self,
        monitor: Monitor,
        settings: MonitorSettings,
        token: str,
        clocks: Callable[[], tuple[int, int]],
        alert_counts: Callable[[], AlertCounts] = AlertCounts,
        unready: Callable[[], str] = str,
    ) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.port = 0
        self._monitor, self._settings, self._clocks, self._unready = monitor, settings, clocks, unready
        self._token = token.encode()
        self._registry = CollectorRegistry()
        self._registry.register(SessionCollector(monitor, alert_counts, self.requests, clocks))
        self._answers: dict[str, Callable[[web.BaseRequest], web.Response]] = {
            HEALTHZ: lambda _: web.Response(text="ok\n"),
            READYZ: self._ready,
            HEALTH: self._health,
            METRICS: self._metrics,
        }
        self._runner: web.ServerRunner | None = None
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen. Raises MyquantError where that can't be, ConfigError for an address that is none."""
        host, port = self._settings.host, self._settings.port
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ConfigError(f"monitor.host = {host}: must be an IP address, such as 127.0.0.1") from None
        web_server = web.Server(
            self._answer,
            access_log=None,
            logger=_logger(),
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            keepalive_timeout=CONNECTION_S,
        )
        self._runner = web.ServerRunner(web_server)
        await self._runner.setup()
        loop = asyncio.get_running_loop()

        def connect() -> asyncio.Protocol:
            if len(web_server.connections) >= CONNECTIONS_MAX:
                return _Refused()
            return web_server()

        try:
            self._server = await loop.create_server(connect, host, port, reuse_address=True)
        except OSError as error:
            await self.close()
            why = error.strerror or error
            raise MyquantError(
                f"monitor.host = {host}, monitor.port = {port}: can't listen there ({why}): choose another port, or 0"
            ) from error
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, web_server, {})
        self.port = int(self._server.sockets[0].getsockname()[1])

    def _sweep(self, web_server: web.Server, since_s: dict[web.RequestHandler, float]) -> None:
        """End the connections that have lived for too long; `since_s`: when each was seen first."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        seen_s = {each: since_s.get(each, now_s) for each in web_server.connections}
        for each, first_s in seen_s.items():
            if now_s - first_s >= CONNECTION_S:
                each.close()
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, web_server, seen_s)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._runner is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._runner.cleanup(), CLOSING_S)
            self._runner = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path if request.path in ROUTES else OTHER
        response = self._response(request, path)
        response.headers.update(_SAFE)
        self.requests[path, response.status] += 1
        return response

    def _response(self, request: web.BaseRequest, path: str) -> web.Response:
        if not is_ours(request.headers.get("Host", ""), self._settings.host):
            return web.Response(status=403, text="this host is none of the monitor's addresses\n")
        is_open = path in PROBES and self._settings.open_probes
        if not is_open and not self._is_authorized(request.headers.get("Authorization", "")):
            return web.Response(status=401, text="a token is needed\n", headers={"WWW-Authenticate": "Bearer"})
        if path == OTHER:
            return web.Response(status=404, text="nothing is here\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, text="GET only\n", headers={"Allow": "GET, HEAD"})
        if request.content_length or request.headers.get("Transfer-Encoding"):
            return web.Response(status=413, text="no body is taken\n")
        return self._answers[path](request)

    def _is_authorized(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        is_same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        return is_same and scheme.lower() == "bearer"

    def _ready(self, _: web.BaseRequest) -> web.Response:
        if self._monitor.is_late():
            return web.Response(status=503, text="late\n" if self._monitor.looks.count else "not looked yet\n")
        if why := self._unready():
            return web.Response(status=503, text=f"{why}\n")
        return web.Response(text="ok\n")

    def _health(self, _: web.BaseRequest) -> web.Response:
        report = health_of(self._monitor, *self._clocks(), runs=True)
        return web.json_response(report, status=503 if report["verdict"] == FAILED else 200)

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        """Answer in the text format of Prometheus: in OpenMetrics the gauge `orders` and the counter `orders_total` are one name."""
        wanted = request.headers.get("Accept", "").split(",")
        encode, kind = choose_encoder(",".join(each for each in wanted if "openmetrics" not in each))
        return web.Response(body=encode(self._registry), headers={"Content-Type": kind})


def _logger() -> logging.Logger:
    """Return where defects go: not what a request that is none holds, which may be a token that was mistyped."""
    logger = logging.getLogger(__name__)
    logger.filters[:] = [_is_defect]
    return logger


def _is_defect(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not kind.__module__.startswith("aiohttp.")


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it."""
        transport.close()


def is_ours(header: str, host: str) -> bool:
    """Return whether a Host header names this machine by an address: a name may be anybody's who leads a browser here."""
    name = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() and not header.endswith("]") else header
    if name.lower() == "localhost":
        return True
    try:
        asked, own = ipaddress.ip_address(name.strip("[]")), ipaddress.ip_address(host)
    except ValueError:
        return name != "" and is_wide(host) and name.lower() == socket.gethostname().lower()
    return asked == own or asked.is_loopback or own.is_unspecified


def is_wide(host: str) -> bool:
    """Return whether others than this machine can reach an address."""
    return not ipaddress.ip_address(host).is_loopback


def monitor_token(environ: Mapping[str, str], keyring: Keyring | None = None) -> str:
    """Return the token that a person chose (MYQUANT_MONITOR_TOKEN, or the keyring's), else a new one. Raises ConfigError."""
    return chosen_token("monitor", environ, keyring) or secrets.token_urlsafe(TOKEN_BYTES)
