"""The bytes of a packet, against a public capture and against the offsets of the protocol's description."""

import hashlib
import struct

import pytest

from myquant.lab.angelone.packet import (
    PACKET_BYTES,
    PACKET_DTYPE,
    binary_frame,
    empty_packets,
    fields_of,
    frames,
    in_mode,
)

# A packet of a live feed, whose bytes are known by their hash.
CAPTURED = {
    "exchange_type": 1,
    "token": b"17758",
    "sequence": 19562,
    "exchange_ms": 1728696324621,
    "price": 49950,
    "last_quantity": 10,
    "average_price": 49674,
    "volume": 527842,
    "sell_quantity": 2863.0,
    "open": 49735,
    "high": 50500,
    "low": 48730,
    "close": 49825,
    "traded_s": 1728642580,
    "upper_circuit": 59940,
    "lower_circuit": 39960,
    "year_high": 51830,
    "year_low": 18025,
}
CAPTURED_SHA256 = "b33b3e9af9f0dba7c0709e3ef5b20315e82aa83f7e88a849ce6f297b9493e10c"

OFFSETS = {
    "mode": 0,
    "exchange_type": 1,
    "token": 2,
    "sequence": 27,
    "exchange_ms": 35,
    "price": 43,
    "last_quantity": 51,
    "average_price": 59,
    "volume": 67,
    "buy_quantity": 75,
    "sell_quantity": 83,
    "open": 91,
    "high": 99,
    "low": 107,
    "close": 115,
    "traded_s": 123,
    "open_interest": 131,
    "open_interest_change": 139,
    "buys": 147,
    "sells": 247,
    "upper_circuit": 347,
    "lower_circuit": 355,
    "year_high": 363,
    "year_low": 371,
}


def captured() -> bytes:
    packets = empty_packets(1)
    for name, value in CAPTURED.items():
        packets[name] = value
    packets["sells"][0, 0] = (0, 2863, 49950, 11)
    return bytes(in_mode(packets, 3)[0])


def test_a_captured_packet_is_reproduced() -> None:
    assert hashlib.sha256(captured()).hexdigest() == CAPTURED_SHA256


def test_fields_stand_where_the_description_has_them() -> None:
    assert PACKET_DTYPE.fields is not None
    assert {name: place[1] for name, place in PACKET_DTYPE.fields.items()} == OFFSETS
    assert PACKET_DTYPE.itemsize == 379


def test_a_best_five_record_is_flag_quantity_price_orders() -> None:
    assert struct.unpack_from("<HqqH", captured(), 247) == (0, 2863, 49950, 11)
    assert [struct.unpack_from("<H", captured(), 147 + 20 * level)[0] for level in range(10)] == [1] * 5 + [0] * 5


@pytest.mark.parametrize(("mode", "size"), [(1, 51), (2, 123), (3, 379)])
def test_a_lesser_packet_is_the_beginning_of_a_greater(mode: int, size: int) -> None:
    packets = empty_packets(2)
    packets["price"] = 12345
    cut = in_mode(packets, mode)
    assert PACKET_BYTES[mode] == size
    assert cut.shape == (2, size)
    assert (cut[:, 0] == mode).all()
    assert (cut[:, 1:] == in_mode(packets, 3)[:, 1:size]).all()
    assert packets["mode"].tolist() == [3, 3]  # the packets themselves are left as they were


@pytest.mark.parametrize(
    ("size", "head"), [(0, b"\x82\x00"), (125, b"\x82\x7d"), (126, b"\x82\x7e\x00\x7e"), (379, b"\x82\x7e\x01\x7b")]
)
def test_a_frame_has_the_head_of_its_length(size: int, head: bytes) -> None:
    assert binary_frame(b"x" * size) == head + b"x" * size


@pytest.mark.parametrize("mode", PACKET_BYTES)
def test_frames_of_many_packets_are_those_of_each(mode: int) -> None:
    packets = empty_packets(3)
    packets["volume"] = [1, 2, 3]
    packets["token"] = [b"1", b"35003", b"1" * 25]
    assert frames(packets, mode) == [binary_frame(payload.tobytes()) for payload in in_mode(packets, mode)]


def test_fields_read_back() -> None:
    packets = empty_packets(1)
    packets["price"], packets["token"] = 7, b"35003"
    found = fields_of(packets[0])
    assert (found["price"], found["token"], found["buys"][0]) == (7, b"35003", (1, 0, 0, 0))
