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

A wish comes on stdin, what was seen goes to stdout, both as JSON. Nothing here is imported by the tests.
"""

import importlib
import json
import sys
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
    wrong = client.generateSession(wish["client_code"], wish["wrong_pin"], pyotp.TOTP(wish["totp_secret"]).now())
    importlib.import_module("time").sleep(1.1)  # one login a second
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


def main() -> None:
    """Answer one wish."""
    wish = json.load(sys.stdin)
    connect, socket = modules()
    seen: dict[str, Any] = {}
    if "rest_url" in wish:
        client, seen = rest(connect, wish)
        seen.update(feed(socket, client, wish))
        seen["logout"] = client.terminateSession(wish["client_code"])
    parse = socket.SmartWebSocketV2.__new__(socket.SmartWebSocketV2)._parse_binary_data
    seen["parsed"] = [parse(bytes.fromhex(packet)) for packet in wish.get("parse", ())]
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
