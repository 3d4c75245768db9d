"""The broker's own Python client against the lab: run by `test_official_client.py`, in an environment of its own.

The recipe, for smartapi-python 1.5.5 (`make official-client` makes the environment, in build/angelone-env):

1. Its package lacks two dependencies (logzero, websocket-client), and its class of the REST service asks an outside host
   for its address in the class body, without a timeout: replace `requests.get` before the import.
2. The address of the REST service is the argument `root` of `SmartConnect`; that of the feed is the class attribute
   `SmartWebSocketV2.ROOT_URI`.
3. Both classes make a folder `logs` where the process runs: run it in a scratch folder. They log to stderr.
4. `generateSession` gives the token with `Bearer ` in front; the feed takes it either way.
5. `_on_close` takes one argument where websocket-client passes three, and what then fails begins a reconnection after
   ten seconds: override it. Allow no attempt of reconnection, else it calls `connect` from within `connect`.
6. Text frames reach nothing: its `_on_data` looks at binary ones only.
7. The address of the order updates is the class attribute `SmartWebSocketOrderUpdate.WEBSOCKET_URI`; `connect` blocks, and
   `on_close` begins a reconnection after ten seconds: override `retry_connect`.
8. `individual_order_details` takes no notice of `root`: set `_rootUrl` of the client, else it asks the real host.
9. `placeOrder` returns the order's id, or None for any failure; the other calls return the envelope.

A wish comes on stdin, what was seen goes to stdout, both as JSON. Nothing here is imported by the tests.
"""

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pyotp


def modules() -> tuple[Any, Any]:
    """Import the client's two modules without a word to the outside."""
    requests: Any = importlib.import_module("requests")

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no address is looked up")

    get, requests.get = requests.get, no_network
    try:
        return importlib.import_module("SmartApi.smartConnect"), importlib.import_module("SmartApi.smartWebSocketV2")
    finally:
        requests.get = get


def rest(module: Any, wish: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Log in and ask for everything the lab answers; return the client and the answers."""
    client = module.SmartConnect(api_key=wish["api_key"], root=wish["rest_url"])
    client._rootUrl = wish["rest_url"]
    wrong = client.generateSession(wish["client_code"], wish["wrong_pin"], pyotp.TOTP(wish["totp_secret"]).now())
    time.sleep(1.1)  # one login a second
    user = client.generateSession(wish["client_code"], wish["pin"], pyotp.TOTP(wish["totp_secret"]).now())
    answers = {"wrong": wrong, "user": {**user, "data": {"clientcode": user["data"]["clientcode"]}}}
    answers["funds"] = client.rmsLimit()
    answers["ltp"] = client.ltpData(wish["exchange"], wish["symbol"], wish["token"])
    answers["quote"] = client.getMarketData("LTP", {wish["exchange"]: [wish["token"], "1"]})
    return client, answers


def feed(module: Any, client: Any, wish: dict[str, Any]) -> dict[str, Any]:
    """Subscribe and return the packets, parsed, and the text frames."""
    packets: list[dict[str, Any]] = []
    texts: list[str] = []

    class Feed(module.SmartWebSocketV2):  # type: ignore[misc]  # its base is known when it runs only
        ROOT_URI = wish["feed_url"]

        def _on_data(self, wsapp: Any, data: Any, data_type: int, continue_flag: bool) -> None:
            if data_type == 1:
                texts.append(data.decode() if isinstance(data, bytes) else data)
            super()._on_data(wsapp, data, data_type, continue_flag)

        def _on_close(self, *_: object) -> None:
            pass

        def on_open(self, wsapp: Any) -> None:
            for number, (mode, token_list) in enumerate(wish["subscriptions"]):
                self.subscribe(f"lab{number}", mode, token_list)
            wsapp.send("ping")
            wsapp.send("not a request")

        def on_data(self, _wsapp: Any, data: dict[str, Any]) -> None:
            packets.append(data)
            if len(packets) == wish["count"]:
                self.close_connection()

        def on_error(self, *_: object) -> None:
            pass

    bearer = f"Bearer {client.access_token}"
    Feed(bearer, wish["api_key"], wish["client_code"], client.feed_token, max_retry_attempt=0).connect()
    return {"packets": packets, "texts": texts}


def updates(client: Any, wish: dict[str, Any]) -> tuple[list[dict[str, Any]], Callable[[], None]]:
    """Listen to the orders; return the frames that came so far, and what ends it."""
    module: Any = importlib.import_module("SmartApi.smartWebSocketOrderUpdate")
    frames: list[dict[str, Any]] = []

    class Updates(module.SmartWebSocketOrderUpdate):  # type: ignore[misc]  # its base is known when it runs only
        WEBSOCKET_URI = wish["update_url"]

        def on_message(self, _wsapp: Any, message: Any) -> None:
            frames.append(json.loads(message))

        def retry_connect(self) -> None:
            pass

    bearer = f"Bearer {client.access_token}"
    listening = Updates(bearer, wish["api_key"], wish["client_code"], client.feed_token)
    threading.Thread(target=listening.connect, daemon=True).start()
    return frames, listening.close_connection


def orders(client: Any, wish: dict[str, Any]) -> dict[str, Any]:
    """Place, modify and cancel orders, and read the books and the updates."""
    frames, end = updates(client, wish)
    wait(lambda: bool(frames))
    refused = client.placeOrder({**wish["bought"], "ordertype": "MARKET"})
    bought = client.placeOrder(wish["bought"])
    wait(lambda: any(each["order-status"] == "AB05" for each in frames))
    resting = client.placeOrderFullResponse(wish["resting"])
    same = {key: value for key, value in wish["resting"].items() if key not in {"transactiontype", "ordertag"}}
    number = resting["data"]["orderid"]
    wait(lambda: ("AB01", number) in [(each["order-status"], each["orderData"]["orderid"]) for each in frames])
    modified = client.modifyOrder({**same, "orderid": number, "price": wish["new_price"]})
    wait(lambda: any(each["order-status"] == "AB04" for each in frames))
    cancelled = client.cancelOrder(number, "NORMAL")
    wait(lambda: any(each["order-status"] == "AB02" for each in frames))
    end()
    return {
        "refused": refused,
        "bought": bought,
        "resting": resting,
        "modified": modified,
        "cancelled": cancelled,
        "order_book": client.orderBook(),
        "trade_book": client.tradeBook(),
        "position": client.position(),
        "details": client.individual_order_details(resting["data"]["uniqueorderid"]),
        "rms": client.rmsLimit(),
        "updates": frames,
    }


def wait(true: Callable[[], bool]) -> None:
    """Wait until something is true, for five seconds at most."""
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise TimeoutError


def main() -> None:
    """Answer one wish."""
    wish = json.load(sys.stdin)
    connect, socket = modules()
    seen: dict[str, Any] = {}
    if "rest_url" in wish:
        client, seen = rest(connect, wish)
        seen.update(feed(socket, client, wish))
        if "bought" in wish:
            seen["orders"] = orders(client, wish)
        seen["logout"] = client.terminateSession(wish["client_code"])
    parse = socket.SmartWebSocketV2.__new__(socket.SmartWebSocketV2)._parse_binary_data
    seen["parsed"] = [parse(bytes.fromhex(packet)) for packet in wish.get("parse", ())]
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
