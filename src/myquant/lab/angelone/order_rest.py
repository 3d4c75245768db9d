"""The HTTP routes of the order service, and those by which a test moves the account and sees how it truly is."""

import asyncio
from typing import Any

from aiohttp import web

from myquant.lab.angelone.order_rows import SIDES
from myquant.lab.angelone.order_service import CUT, DETAILS, OrderService


class OrderRest:
    """The routes of one service."""

    def __init__(self, service: OrderService) -> None:
        self._service = service
        self._waiting: set[asyncio.Future[tuple[int, bytes]]] = set()

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        for method, path in self._service.paths:
            app.router.add_route(method, path, self._serve)
        app.router.add_get(DETAILS + "{unique_id}", self._serve)
        app.router.add_post("/lab/square_off", self._square_off)
        app.router.add_post("/lab/manual", self._manual)
        app.router.add_get("/lab/orders", self._oracle)

    def hang_up(self) -> None:
        """Cut off every connection that waits for an answer."""
        for each in self._waiting:
            if not each.done():
                each.set_result((CUT, b""))

    async def _serve(self, request: web.Request) -> web.Response:
        waiting: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

        def reply(status: int, body: bytes) -> None:
            if not waiting.done():
                waiting.set_result((status, body))

        self._service.handle(request.method, request.path, request.headers, await request.read(), reply)
        self._waiting.add(waiting)
        try:
            status, body = await waiting
        finally:
            self._waiting.discard(waiting)
        if status == CUT and request.transport is not None:
            request.transport.abort()
        kind = "application/json" if body[:1] == b"{" else "text/html" if body[:1] == b"<" else "text/plain"
        return web.Response(status=status or 500, body=body, content_type=kind)

    async def _square_off(self, _request: web.Request) -> web.Response:
        return web.Response(text=f"squared off: {self._service.square_off()} positions closed, no order works\n")

    async def _manual(self, request: web.Request) -> web.Response:
        """Trade from the user's phone: `side` BUY or SELL, `quantity` in units, `symbol`."""
        asked = request.query
        side = {name: code for code, name in SIDES.items()}.get(asked.get("side", ""))
        quantity = asked.get("quantity", "")
        found = [
            token
            for token, each in self._service.book.tradables.items()
            if each.listed.symbol == asked.get("symbol", "")
        ]
        if side is None or not quantity.isdecimal() or int(quantity) == 0:
            return web.Response(status=400, text="name side=BUY or SELL, quantity (units) and symbol\n")
        if not found:
            return web.Response(status=400, text=f"no contract here has the symbol {asked.get('symbol', '')!r}\n")
        traded = self._service.manual_trade(found[0], side * int(quantity))
        if traded is None:
            return web.Response(status=409, text="there is no market, or nothing to sell\n")
        what = f"{asked['side']} {traded.filled} {asked['symbol']} at {traded.value / traded.filled / 100:.2f}"
        return web.Response(text=f"traded by phone: {what}\n")

    async def _oracle(self, _request: web.Request) -> web.Response:
        return web.json_response(oracle_of(self._service))


def oracle_of(service: OrderService) -> dict[str, Any]:
    """Return all orders and positions as they truly are; prices and values in paise, times ns since the epoch."""
    orders = [
        {
            "order_id": order.order_id,
            "by": order.wanted.by,
            "tag": order.tag,
            "symbol": order.wanted.tradable.listed.symbol,
            "token": order.token,
            "product": order.wanted.product,
            "side": order.side,
            "quantity": order.quantity,
            "limit": order.limit,
            "trigger": order.trigger,
            "filled": order.filled,
            "value": order.value,
            "state": order.state,
            "text": order.text,
            "timeline": order.timeline,
        }
        for order in service.book.orders
    ]
    positions = [
        {"token": token, "product": product, "net": each.net, "lowest": each.lowest}
        for (token, product), each in service.book.positions.items()
    ]
    return {"orders": orders, "positions": positions, "funds": service.book.funds()._asdict()}
