"""The decoder of Angel One's feed: every field arrives, nothing that can't be is used, and no bytes confuse it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.angelone_wire import SIZES, TOKENS, Level, Wire, new_decoder, outcomes, pack, unpack, words_of
from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.packets import (
    ALIVE,
    COUNTS,
    CROSSED_QUOTE,
    MODE_WITHOUT_VOLUME,
    NOTHING,
    NOTHING_NEW,
    QUOTED,
    REASON_NAMES,
    TICKED,
)
from myquant.core import codes
from myquant.core.compiled import jit_enabled
from myquant.core.records import Event
from myquant.journal.record import Origin

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = ROOT / "build" / "angelone-env" / "bin" / "python"

GOLDEN = Wire()  # a packet captured in public, NSE cash
GOLDEN_SHA256 = "b33b3e9af9f0dba7c0709e3ef5b20315e82aa83f7e88a849ce6f297b9493e10c"

INT64 = st.integers(-(2**63), 2**63 - 1)
PRICES = st.integers(1, 10**10) | st.sampled_from([1, 2**31 - 1, 2**31, 2**32, 10**10])
VOLUMES = st.integers(0, 2**53 - 1)
LEVELS = st.tuples(st.just(0) | st.integers(0, 2**60), st.just(0) | PRICES, st.integers(0, 2**16 - 1))
FREE = ("number", "last_quantity", "average", "open", "high", "low", "close", "open_interest", "year_high", "year_low")
FREE_FLOATS = ("buy_quantity", "sell_quantity", "open_interest_change")
ANYTHING: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {**dict.fromkeys(FREE, INT64), **dict.fromkeys(FREE_FLOATS, st.floats(allow_nan=False))}
)


@st.composite
def wires(draw: st.DrawFn) -> Wire:
    """Draw packets whose used fields can be, and whose other fields are anything."""
    token = draw(st.sampled_from(TOKENS))
    time_ms, price = draw(st.integers(10**6, 2**62 // 10**6 - 1)), draw(PRICES)
    buys, sells = (tuple(Level(flag, *draw(LEVELS)) for _ in range(5)) for flag in (1, 0))
    return Wire(**draw(ANYTHING))._replace(
        mode=draw(st.sampled_from([1, 2, 3])),
        volume=draw(VOLUMES),
        exchange_type=token.exchange_type,
        token=token.text.encode(),
        time_ms=time_ms,
        price=price,
        traded_s=draw(st.integers(0, time_ms // 1000)),
        buys=buys,
        sells=sells,
        lower_circuit=draw(st.sampled_from([0, 1, price])),
        upper_circuit=draw(st.sampled_from([0, -1, price, 2**62])),
    )


def best(levels: tuple[Level, ...]) -> int:
    return levels[0].price if levels[0].quantity > 0 else 0


def expected_row(wire: Wire, kind: int) -> list[int]:
    """Return the row of words of an instrument's first packet, in a mode with a quote or after a smaller volume."""
    whole = wire.mode == 3
    bid, ask = (best(wire.buys), best(wire.sells)) if whole else (0, 0)
    if bid >= ask > 0:
        bid = ask = 0
    who = next(t.instrument for t in TOKENS if (t.exchange_type, t.text) == (wire.exchange_type, wire.token.decode()))
    event = Event(kind, who, 0, wire.time_ms * 10**6, 22, wire.price, 0, bid, ask, 0, 0, 0, 0)
    traded_ns, interest = (wire.traded_s * 10**9, wire.open_interest) if whole else (0, 0)
    return [*event, *Origin(11, 0, wire.volume, traded_ns, wire.number, 1, interest, 0)]


def take_one(wire: Wire) -> tuple[FrameDecoder, int]:
    decoder = new_decoder()
    return decoder, decoder.take(memoryview(pack(wire)), 11, 22)


def reason_of(packet: bytes, decoder: FrameDecoder | None = None) -> str:
    decoder = decoder or new_decoder()
    decoder.words[:] = -99
    before = decoder.counts.copy()
    assert decoder.take(memoryview(packet), 11, 22) == NOTHING
    assert (decoder.words == -99).all()
    (place,) = np.flatnonzero(decoder.counts - before)
    return REASON_NAMES[int(place)]


@settings(deadline=None, max_examples=200)
@given(wires())
def test_every_field_that_is_used_arrives(wire: Wire) -> None:
    decoder, outcome = take_one(wire)
    index = (wire.exchange_type, wire.token) == (1, b"26000")
    if index:
        assert outcome == ALIVE
    elif wire.mode == 1:
        assert outcome == NOTHING
        assert decoder.counts[MODE_WITHOUT_VOLUME] == 1
    elif wire.mode == 2:
        assert outcome == NOTHING
        assert decoder.counts[NOTHING_NEW] == 1
    else:
        assert outcome == QUOTED
        assert decoder.words[0].tolist() == expected_row(wire, codes.QUOTE)


@settings(deadline=None, max_examples=200)
@given(wires(), st.integers(1, 10**9))
def test_the_next_packet_with_more_volume_is_a_tick(wire: Wire, quantity: int) -> None:
    wire = wire._replace(mode=max(wire.mode, 2), volume=min(wire.volume, 2**52))
    if (wire.exchange_type, wire.token) == (1, b"26000"):
        return
    decoder, _ = take_one(wire)
    later = wire._replace(volume=wire.volume + quantity)
    assert decoder.take(memoryview(pack(later)), 11, 22) == TICKED
    expected = expected_row(later, codes.TICK)
    expected[6] = quantity
    assert decoder.words[0].tolist() == expected


@settings(deadline=None)
@given(wires())
def test_the_second_decoder_reads_what_was_packed(wire: Wire) -> None:
    assert unpack(pack(wire._replace(mode=3))) == wire._replace(mode=3)


def test_the_captured_packet() -> None:
    packet = pack(GOLDEN)
    assert hashlib.sha256(packet).hexdigest() == GOLDEN_SHA256
    decoder = new_decoder()
    assert decoder.take(memoryview(packet), 11, 22) == QUOTED
    event, origin = words_of(decoder)
    assert event == Event(codes.QUOTE, 0, 0, 1728696324621_000_000, 22, 49950, 0, 0, 49950, 0, 0, 0, 0)
    assert origin == Origin(11, 0, 527842, 1728642580_000_000_000, 19562, 1, 0, 0)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_payload_may_be_of_any_kind_and_is_let_go(kind: Any) -> None:
    decoder = new_decoder()
    payload = kind(pack(GOLDEN))
    references = sys.getrefcount(payload)
    assert decoder.take(payload, 11, 22) == QUOTED
    assert sys.getrefcount(payload) == references
    if kind is bytearray:
        payload.append(0)  # fails as long as someone holds the buffer
    if kind is memoryview:
        payload.release()


def changed(at: int, *values: int) -> bytes:
    packet = bytearray(pack(GOLDEN))
    packet[at : at + len(values)] = bytes(values)
    return bytes(packet)


def with_level(place: int, level: Level) -> bytes:
    """Return the packet with one of its ten levels changed, the sells from 5 on."""
    levels = [*GOLDEN.buys, *GOLDEN.sells]
    levels[place] = level
    return pack(GOLDEN._replace(buys=tuple(levels[:5]), sells=tuple(levels[5:])))


FAR_MS = 2**62 // 10**6

REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing at all": (b"", "wrong_length"),
    "a head that is cut": (pack(GOLDEN)[:50], "wrong_length"),
    "a byte less": (pack(GOLDEN)[:-1], "wrong_length"),
    "a byte more": (pack(GOLDEN) + b"\0", "wrong_length"),
    "two in one": (pack(GOLDEN) * 2, "wrong_length"),
    "the length of another mode": (changed(0, 2), "wrong_length"),
    "text": (b"pong" * 20, "unknown_mode"),
    "no mode": (changed(0, 0), "unknown_mode"),
    "the depth of twenty": (changed(0, 4) + bytes(64), "unknown_mode"),
    "a token nobody asked for": (changed(2, *b"17759"), "unknown_token"),
    "a token that goes on": (changed(2, *b"177580"), "unknown_token"),
    "a token of letters": (changed(2, *b"1775B"), "unknown_token"),
    "no token": (changed(2, 0), "unknown_token"),
    "25 digits without an end": (changed(2, *b"1" * 25), "unknown_token"),
    "another exchange": (changed(1, 7), "wrong_exchange"),
    "no exchange": (changed(1, 0), "wrong_exchange"),
    "a price only": (pack(GOLDEN._replace(mode=1)), "mode_without_volume"),
    "a price of zero": (pack(GOLDEN._replace(price=0)), "impossible_price"),
    "a price below zero": (pack(GOLDEN._replace(price=-49950)), "impossible_price"),
    "the greatest price": (pack(GOLDEN._replace(price=2**63 - 1, upper_circuit=0)), "impossible_price"),
    "a price above the upper circuit": (pack(GOLDEN._replace(price=59941)), "outside_circuit"),
    "a price below the lower circuit": (pack(GOLDEN._replace(price=39959)), "outside_circuit"),
    "a volume below zero": (pack(GOLDEN._replace(volume=-1)), "impossible_volume"),
    "the smallest volume": (pack(GOLDEN._replace(volume=-(2**63))), "impossible_volume"),
    "no time": (pack(GOLDEN._replace(time_ms=0, traded_s=0)), "impossible_time"),
    "a time before all": (pack(GOLDEN._replace(time_ms=-1, traded_s=0)), "impossible_time"),
    "a time that overflows": (pack(GOLDEN._replace(time_ms=2**63 - 1)), "impossible_time"),
    "a time beyond the century": (pack(GOLDEN._replace(time_ms=FAR_MS)), "impossible_time"),
    "a last trade that overflows": (pack(GOLDEN._replace(traded_s=2**63 - 1)), "impossible_time"),
    "a last trade in milliseconds": (pack(GOLDEN._replace(traded_s=1728642580_000)), "impossible_time"),
    "a sell among the buys": (with_level(4, Level(0)), "impossible_depth"),
    "a buy among the sells": (with_level(5, Level(1, 2863, 49950, 11)), "impossible_depth"),
    "a flag that is neither": (with_level(9, Level(256)), "impossible_depth"),
    "a bid below zero": (with_level(0, Level(1, 1, -1)), "impossible_depth"),
    "a quantity below zero": (with_level(8, Level(0, -1, 1)), "impossible_depth"),
    "an ask beyond all": (with_level(5, Level(0, 1, 10**10 + 1)), "impossible_depth"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_of_what_can_not_be_is_used(name: str) -> None:
    packet, reason = REFUSED[name]
    decoder = new_decoder()
    assert reason_of(packet, decoder) == reason
    assert decoder.memory.tobytes() == new_decoder().memory.tobytes()
    assert decoder.clock() == (0, 0)
    assert decoder.take(memoryview(pack(GOLDEN)), 11, 22) == QUOTED


@pytest.mark.parametrize(
    ("bid", "ask", "quote"),
    [
        (Level(1, 5, 49940), Level(0, 5, 49950), (49940, 49950)),
        (Level(1, 0, 49940), Level(0, 5, 49950), (0, 49950)),
        (Level(1, 5, 49940), Level(0, 5, 0), (49940, 0)),
        (Level(1, 5, 49950), Level(0, 5, 49950), (0, 0)),
        (Level(1), Level(0), (0, 0)),
    ],
)
def test_the_quote_is_the_first_level_of_each_side(bid: Level, ask: Level, quote: tuple[int, int]) -> None:
    wire = GOLDEN._replace(buys=(bid, *[Level(1, 1, 49930)] * 4), sells=(ask, *[Level(0, 1, 49960)] * 4))
    decoder, outcome = take_one(wire)
    event = words_of(decoder).event
    assert (outcome, event.bid, event.ask) == (QUOTED, *quote)
    assert decoder.counts[CROSSED_QUOTE] == (bid.price == ask.price > 0)


def test_an_index_lives_in_every_mode_and_sets_the_clock() -> None:
    decoder = new_decoder()
    index = GOLDEN._replace(token=b"26000", buys=(Level(0),) * 5, volume=-5, traded_s=-5)
    for mode in SIZES:
        packet = pack(index._replace(mode=mode, time_ms=GOLDEN.time_ms + 1000 * mode))
        assert decoder.take(memoryview(packet), 100 * mode, 22) == ALIVE
    assert decoder.clock() == ((GOLDEN.time_ms + 3000) * 10**6, 300)
    decoder.connect(2)
    assert decoder.clock()[0] == 0


def test_connections_are_numbered_from_1() -> None:
    with pytest.raises(ValueError, match="from 1"):
        new_decoder().connect(0)


def test_a_restart_goes_on_from_the_last_input() -> None:
    whole, _ = take_one(GOLDEN)
    restarted = new_decoder()
    restarted.recall(words_of(whole))
    assert reason_of(pack(GOLDEN), restarted) == "duplicate"
    assert restarted.take(memoryview(pack(GOLDEN._replace(volume=527852))), 11, 22) == TICKED
    assert words_of(restarted).event.volume == 10


def mutated(count: int, seed: int) -> list[bytes]:
    """Return packets of a stream, most of them damaged in one place or two."""
    random = np.random.default_rng(seed)
    packets = []
    for place in range(count):
        token = TOKENS[random.integers(len(TOKENS))]
        wire = GOLDEN._replace(
            mode=int(random.integers(1, 4)),
            exchange_type=token.exchange_type,
            token=token.text.encode(),
            time_ms=GOLDEN.time_ms + 100 * place,
            volume=GOLDEN.volume + int(random.integers(0, place + 2)),
        )
        packet = bytearray(pack(wire))
        for _ in range(int(random.integers(0, 3))):
            packet[random.integers(len(packet))] = random.integers(256)
        if random.integers(10) == 0:
            packet = (packet + bytes(9))[: random.integers(len(packet) + 9)]
        packets.append(bytes(packet))
    return packets


@pytest.mark.skipif(not jit_enabled(), reason="it is compared with what is compiled")
def test_plain_python_gives_the_same() -> None:
    packets = mutated(3000, 7) + [packet for packet, _ in REFUSED.values()]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-W", "error", "-m", "brokers.angelone_wire"]
    given_lines = "\n".join(packet.hex() for packet in packets)
    done = subprocess.run(
        command, input=given_lines, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == outcomes(packets)
    assert {answer[0] for answer in answers[:-1]} == {NOTHING, TICKED, QUOTED, ALIVE}
    assert len(answers[-1]) == COUNTS


OFFICIAL_SCRIPT = """
import importlib.metadata, importlib.util, json, logging, sys, types
for name, attribute in (("logzero", {"logger": logging.getLogger("official")}), ("websocket", {"WebSocketApp": object})):
    if importlib.util.find_spec(name) is None:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(attribute)
path = importlib.metadata.distribution("smartapi-python").locate_file("SmartApi/smartWebSocketV2.py")
spec = importlib.util.spec_from_file_location("official", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
client = module.SmartWebSocketV2.__new__(module.SmartWebSocketV2)
for line in sys.stdin:
    print(json.dumps(client._parse_binary_data(bytes.fromhex(line))))
"""

OFFICIAL_NAMES = (
    "subscription_mode",
    "exchange_type",
    "token",
    "sequence_number",
    "exchange_timestamp",
    "last_traded_price",
    "last_traded_quantity",
    "average_traded_price",
    "volume_trade_for_the_day",
    "total_buy_quantity",
    "total_sell_quantity",
    "open_price_of_the_day",
    "high_price_of_the_day",
    "low_price_of_the_day",
    "closed_price",
    "last_traded_timestamp",
    "open_interest",
    "-",
    "best_5_buy_data",
    "best_5_sell_data",
    "upper_circuit_limit",
    "lower_circuit_limit",
    "52_week_high_price",
    "52_week_low_price",
)
FIELDS_OF_MODE = {1: 6, 2: 15, 3: len(OFFICIAL_NAMES)}


def as_official(wire: Wire) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(OFFICIAL_NAMES[: FIELDS_OF_MODE[wire.mode]], wire, strict=False))
    values.pop("-", None)  # open interest's change, which the official client reads as an integer
    for side in ("best_5_buy_data", "best_5_sell_data"):
        if side in values:
            names = ("flag", "quantity", "price", "no of orders")
            values[side] = [dict(zip(names, level, strict=True)) for level in values[side]]
    return values | {"token": wire.token.decode()}


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official client's environment is not installed")
def test_the_official_parser_agrees_on_every_field() -> None:
    drawn: list[Wire] = [GOLDEN, GOLDEN._replace(token=b"1" * 25)]

    @settings(deadline=None, max_examples=300, database=None)
    @given(wires())
    def draw(wire: Wire) -> None:
        drawn.append(wire)

    draw()
    given_lines = "\n".join(pack(wire).hex() for wire in drawn)
    command = [str(OFFICIAL), "-I", "-c", OFFICIAL_SCRIPT]
    done = subprocess.run(command, input=given_lines, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(read) == len(drawn) > 200
    for wire, official in zip(drawn, read, strict=True):
        for name in ("open_interest_change_percentage", "subscription_mode_val"):
            official.pop(name, None)
        assert official == as_official(wire)
