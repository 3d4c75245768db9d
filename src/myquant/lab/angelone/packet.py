"""The binary packets of WebSocket 2.0, as bytes of one NumPy record, and the frames that carry them.

The layout is that of the protocol's description: little-endian, packed. A SnapQuote packet begins with the Quote packet,
and that with the LTP packet, so that a packet of a lesser mode is a prefix, with another first byte.
"""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

LTP: Final = 1
QUOTE: Final = 2
SNAP_QUOTE: Final = 3
PACKET_BYTES: Final = {LTP: 51, QUOTE: 123, SNAP_QUOTE: 379}
DEPTH: Final = 5  # levels of each side

BUY_FLAG: Final = 1
SELL_FLAG: Final = 0

LEVEL_DTYPE: Final = np.dtype([("flag", "<u2"), ("quantity", "<i8"), ("price", "<i8"), ("orders", "<u2")])
PACKET_DTYPE: Final = np.dtype(
    [
        ("mode", "u1"),
        ("exchange_type", "u1"),
        ("token", "S25"),  # ASCII, filled with NUL
        ("sequence", "<i8"),
        ("exchange_ms", "<i8"),  # since the epoch
        ("price", "<i8"),  # paise, like all prices here
        ("last_quantity", "<i8"),
        ("average_price", "<i8"),
        ("volume", "<i8"),  # units of the day so far
        ("buy_quantity", "<f8"),
        ("sell_quantity", "<f8"),
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),  # of the day before
        ("traded_s", "<i8"),  # last trade, seconds since the epoch
        ("open_interest", "<i8"),
        ("open_interest_change", "<f8"),  # percent
        ("buys", LEVEL_DTYPE, (DEPTH,)),
        ("sells", LEVEL_DTYPE, (DEPTH,)),
        ("upper_circuit", "<i8"),
        ("lower_circuit", "<i8"),
        ("year_high", "<i8"),
        ("year_low", "<i8"),
    ]
)

Packets: TypeAlias = NDArray[np.void]
Bytes: TypeAlias = NDArray[np.uint8]


def empty_packets(count: int) -> Packets:
    """Return SnapQuote packets, shape (count,), of zeros, their levels flagged."""
    packets: Packets = np.zeros(count, PACKET_DTYPE)
    packets["mode"] = SNAP_QUOTE
    packets["buys"]["flag"] = BUY_FLAG
    packets["sells"]["flag"] = SELL_FLAG
    return packets


def in_mode(packets: Packets, mode: int) -> Bytes:
    """Return the packets' bytes in a mode, shape (n, size of a packet)."""
    raw = packets.view(np.uint8).reshape(len(packets), PACKET_DTYPE.itemsize)
    cut: Bytes = raw[:, : PACKET_BYTES[mode]].copy()
    cut[:, 0] = mode
    return cut


def binary_frame(payload: bytes) -> bytes:
    """Return a server's WebSocket frame (RFC 6455 §5.2): final, binary, unmasked; at most 65,535 bytes."""
    size = len(payload)
    head = bytes((0x82, size)) if size < 126 else b"\x82\x7e" + size.to_bytes(2, "big")
    return head + payload


def framed(packets: Packets, mode: int) -> Bytes:
    """Return each packet in a mode as a frame, shape (n, size of a frame)."""
    payloads = in_mode(packets, mode)
    head = np.frombuffer(binary_frame(bytes(PACKET_BYTES[mode]))[: -PACKET_BYTES[mode]], np.uint8)
    return np.concatenate((np.broadcast_to(head, (len(payloads), len(head))), payloads), axis=1)


def frames(packets: Packets, mode: int) -> list[bytes]:
    """Return each packet in a mode, as a frame."""
    whole = framed(packets, mode)
    content, width = whole.tobytes(), whole.shape[1]
    return [content[at : at + width] for at in range(0, len(content), width)]


def fields_of(packet: Any) -> dict[str, Any]:
    """Return a packet's fields by name, levels as tuples (flag, quantity, price, orders)."""
    return {name: packet[name].tolist() for name in PACKET_DTYPE.names or ()}
