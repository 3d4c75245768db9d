"""The broker's own client logs in, connects, subscribes and receives, and reads each packet as we wrote it."""

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.labs import OTHER, SYMBOL, run, small_day
from lab.order_desk import wanted
from myquant.lab.angelone.packet import PACKET_BYTES, PACKET_DTYPE, Packets, empty_packets, fields_of, in_mode
from myquant.lab.angelone.server import AngelOneLab, day_packets

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build" / "angelone-env"
PYTHON = ENVIRONMENT / "bin" / "python"
SCRIPT = Path(__file__).with_name("official_client.py")

pytestmark = pytest.mark.skipif(
    not (ENVIRONMENT / ".ready").exists(), reason="there is no whole build/angelone-env: run make official-client"
)

NAMES = {
    "subscription_mode": "mode",
    "exchange_type": "exchange_type",
    "sequence_number": "sequence",
    "exchange_timestamp": "exchange_ms",
    "last_traded_price": "price",
    "last_traded_quantity": "last_quantity",
    "average_traded_price": "average_price",
    "volume_trade_for_the_day": "volume",
    "total_buy_quantity": "buy_quantity",
    "total_sell_quantity": "sell_quantity",
    "open_price_of_the_day": "open",
    "high_price_of_the_day": "high",
    "low_price_of_the_day": "low",
    "closed_price": "close",
    "last_traded_timestamp": "traded_s",
    "open_interest": "open_interest",
    "upper_circuit_limit": "upper_circuit",
    "lower_circuit_limit": "lower_circuit",
    "52_week_high_price": "year_high",
    "52_week_low_price": "year_low",
}
MODE_NAMES = {1: "LTP", 2: "QUOTE", 3: "SNAP_QUOTE"}
BY_MODE = {1: 5, 2: 14, 3: len(NAMES)}  # how many of NAMES a packet has


async def ask(wish: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run the client with a wish and return what it saw."""
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        SCRIPT,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate(json.dumps(wish).encode())
    assert process.returncode == 0, complaints.decode()[-2000:]
    seen: dict[str, Any] = json.loads(said)
    return seen


def as_official(packet: bytes) -> dict[str, Any]:
    """Return a packet's fields as the official client names them."""
    whole = np.frombuffer(packet + bytes(PACKET_DTYPE.itemsize - len(packet)), PACKET_DTYPE)[0]
    fields = fields_of(whole)
    mode = packet[0]
    found = {theirs: fields[ours] for theirs, ours in list(NAMES.items())[: BY_MODE[mode]]}
    found |= {"token": fields["token"].decode(), "subscription_mode_val": MODE_NAMES[mode]}
    if mode == 3:
        for side in ("buy", "sell"):
            keys = ("flag", "quantity", "price", "no of orders")
            found[f"best_5_{side}_data"] = [dict(zip(keys, level, strict=True)) for level in fields[f"{side}s"]]
        # It reads these eight bytes as an integer, where a float stands.
        found["open_interest_change_percentage"] = struct.unpack("<q", packet[139:147])[0]
    return found


def random_packets(count: int, seed: int) -> Packets:
    rng = np.random.default_rng(seed)
    packets = empty_packets(count)
    for name in PACKET_DTYPE.names or ():
        kind = PACKET_DTYPE[name]
        if kind == np.dtype("<i8"):
            packets[name] = rng.integers(-(2**63), 2**63 - 1, count) >> rng.integers(0, 60, count)
        elif kind == np.dtype("<f8"):
            packets[name] = rng.normal(size=count) * 1e6
    for side in ("buys", "sells"):
        packets[side]["quantity"] = rng.integers(0, 2**40, (count, 5))
        packets[side]["price"] = rng.integers(0, 2**33, (count, 5))
        packets[side]["orders"] = rng.integers(0, 2**16, (count, 5))
    packets["exchange_type"] = rng.choice([1, 2, 3, 4, 5, 7, 13], count)
    packets["token"] = [str(rng.integers(1, 10**9))[: 1 + at % 9] * (1 + at % 2) for at in range(count)]
    return packets


def test_its_parser_reads_every_field_as_written(tmp_path: Path) -> None:
    packets = [
        in_mode(random_packets(40, mode)[at : at + 1], mode)[0].tobytes() for mode in PACKET_BYTES for at in range(40)
    ]
    for mode in PACKET_BYTES:
        packets += day_packets(small_day(60, (SYMBOL, OTHER)), mode=mode)[:80]
    seen = run(ask({"parse": [packet.hex() for packet in packets]}, tmp_path))
    assert seen["parsed"] == [as_official(packet) for packet in packets]


def test_it_logs_in_connects_subscribes_and_receives(tmp_path: Path) -> None:
    ticks = small_day(300, (SYMBOL, OTHER))
    expected = [packet for packet in day_packets(ticks) if as_official(packet)["exchange_type"] == 2]

    async def play() -> tuple[dict[str, Any], AngelOneLab]:
        async with AngelOneLab(ticks) as lab:
            (kind, token), (_, other) = lab.token_of(SYMBOL), lab.token_of(OTHER)
            index_kind, index = lab.token_of("NIFTY")
            known = lab.credentials
            wish = {
                **known._asdict(),
                "wrong_pin": "0000",
                "rest_url": lab.rest_url,
                "feed_url": lab.feed_url,
                "exchange": "NFO",
                "symbol": SYMBOL,
                "token": token,
                "subscriptions": [
                    (3, [{"exchangeType": kind, "tokens": [token, other]}]),
                    (2, [{"exchangeType": kind, "tokens": [other]}]),
                    (1, [{"exchangeType": index_kind, "tokens": [index]}]),
                ],
                "count": 400,
            }
            return await ask(wish, tmp_path), lab

    seen, lab = run(play())
    assert seen["wrong"]["errorcode"] == "AB1000"
    assert seen["user"]["data"] == {"clientcode": lab.credentials.client_code}
    assert [seen[name]["status"] for name in ("user", "funds", "ltp", "quote", "logout")] == [True] * 5
    assert seen["ltp"]["data"]["ltp"] == ticks.price[0] / 100
    assert [row["symbolToken"] for row in seen["quote"]["data"]["unfetched"]] == ["1"]
    snapped = [packet for packet in seen["packets"] if packet["subscription_mode"] == 3]
    assert snapped[2:] == [as_official(packet) for packet in expected[: len(snapped) - 2]]  # two came as it subscribed
    assert len(snapped) > 100
    assert {packet["subscription_mode"] for packet in seen["packets"]} == {1, 2, 3}
    assert {packet["token"] for packet in seen["packets"] if packet["subscription_mode"] == 1} == {"99926000"}
    assert seen["texts"][0] == "pong"
    assert json.loads(seen["texts"][1])["errorCode"] == "E1001"
    assert lab.counts["packets"] >= 400


def test_it_places_modifies_and_cancels_and_reads_the_books(tmp_path: Path) -> None:
    ticks = small_day(300)
    price = int(ticks.price[-1])

    async def play() -> tuple[dict[str, Any], AngelOneLab]:
        async with AngelOneLab(ticks) as lab:
            kind, token = lab.token_of(SYMBOL)
            body = {**wanted("BUY", 75, f"{price / 100 + 1:.2f}", ordertag="T1"), "symboltoken": token}
            wish = {
                **lab.credentials._asdict(),
                "wrong_pin": "0000",
                "rest_url": lab.rest_url,
                "feed_url": lab.feed_url,
                "update_url": lab.update_url,
                "exchange": "NFO",
                "symbol": SYMBOL,
                "token": token,
                "subscriptions": [(3, [{"exchangeType": kind, "tokens": [token]}])],
                "count": 300,
                "bought": body,
                "resting": {**body, "price": f"{price / 100 - 10:.2f}", "ordertag": "T2"},
                "new_price": f"{price / 100 - 9:.2f}",
            }
            return (await ask(wish, tmp_path))["orders"], lab

    seen, lab = run(play())
    bought, resting = lab.orders.book.orders
    assert (seen["refused"], seen["bought"], seen["resting"]["data"]["orderid"]) == (
        None,
        bought.order_id,
        resting.order_id,
    )
    assert (bought.state, bought.filled, resting.state, resting.limit) == ("complete", 75, "cancelled", price - 900)
    assert all(seen[name]["status"] is True for name in ("modified", "cancelled", "order_book", "trade_book", "rms"))
    assert [row["ordertag"] for row in seen["order_book"]["data"]] == ["T1", "T2"]
    assert seen["trade_book"]["data"][0]["fillprice"] * 75 * 100 == pytest.approx(bought.value)
    assert seen["position"]["data"][0]["netqty"] == "75"
    assert seen["details"]["data"] == seen["order_book"]["data"][1]
    assert float(seen["rms"]["data"]["net"]) == pytest.approx(1_000_000 - bought.value / 100)
    told = [(each["orderData"].get("ordertag"), each["order-status"]) for each in seen["updates"]]
    assert told == [
        ("", "AB00"),
        *(("T1", code) for code in ("AB09", "AB01", "AB05")),
        *(("T2", code) for code in ("AB09", "AB01", "AB11", "AB04", "AB01", "AB02")),
    ]
