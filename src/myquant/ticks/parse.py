"""Compiled parsing of text: rows into fields, and fields into paise, units and nanoseconds, exactly.

`text` is a uint8 array, a field the half-open range of its bytes. No function here calls a compiled one of another file
(Numba's disk cache would not notice a change there).
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.core.codes import PRICE_NOT_FINITE, PRICE_UNPARSABLE
from myquant.core.compiled import inlined
from myquant.ticks.compiled import kept

Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

TAB, NEWLINE, RETURN, SPACE, QUOTE = 9, 10, 13, 32, 34
PLUS, COMMA, MINUS, POINT, ZERO, NINE, LOWER_E = 43, 44, 45, 46, 48, 57, 101
NAN, INF, INFINITY = (int.from_bytes(word, "big") for word in (b"nan", b"inf", b"infinity"))

MAX_WHOLE: Final = 10**15  # the largest volume, and far above every price
# The largest price, paise: ten crore rupees. The core multiplies prices by rates of up to 10^8, in 64 bits.
MAX_PRICE: Final = 10**10


@kept
def split_rows(
    text: Bytes, begin: int, end: int, line: int, slots: Ints, starts: Ints, ends: Ints, lines: Ints
) -> tuple[int, int, int]:
    """Split the complete lines of text[begin:end] into fields; return (rows, where it stopped, the line number there).

    `slots[column]` is the row of `starts` and `ends`, shape (wanted, capacity), that takes the column's fields, or -1.
    A newline always ends a row. Blank lines are no rows but count as lines. A row with too few or too many fields, or
    with a quote that is not closed, has empty fields only.
    """
    row = 0
    while row < lines.shape[0]:
        at, column, first_stop, whole = begin, 0, 0, True
        while True:
            start, stop, at = _field(text, at, end)
            if at >= end:
                return row, begin, line
            if start < 0:
                whole = False
            elif column < slots.shape[0] and slots[column] >= 0:
                starts[slots[column], row], ends[slots[column], row] = start, stop
            if column == 0:
                first_stop = stop - start
            column += 1
            if text[at] == NEWLINE:
                break
            at += 1
        if column > 1 or first_stop != 0:
            if not whole or column != slots.shape[0]:
                starts[:, row] = 0
                ends[:, row] = 0
            lines[row] = line
            row += 1
        line += 1
        begin = at + 1
    return row, begin, line


@inlined
def _field(text: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return a field without the space and quotes around it, and the comma or newline after it (`end`: there is none)."""
    while at < end and (text[at] == SPACE or text[at] == TAB):
        at += 1
    if at < end and text[at] == QUOTE:
        return _quoted(text, at + 1, end)
    start = at
    while at < end and text[at] != COMMA and text[at] != NEWLINE:
        at += 1
    stop = at
    while stop > start and (text[stop - 1] == SPACE or text[stop - 1] == TAB or text[stop - 1] == RETURN):
        stop -= 1
    return start, stop, at


@inlined
def _quoted(text: Bytes, start: int, end: int) -> tuple[int, int, int]:
    """Return the rest of a field that began with a quote; start -1: the quote is not closed, or text follows it."""
    at = start
    while at < end and text[at] != NEWLINE:
        if text[at] == QUOTE:
            if at + 1 >= end or text[at + 1] != QUOTE:
                break
            at += 1  # a doubled quote stands for one
        at += 1
    stop = at
    closed = at < end and text[at] == QUOTE
    at += closed
    while at < end and text[at] != COMMA and text[at] != NEWLINE:
        closed = closed and (text[at] == SPACE or text[at] == TAB or text[at] == RETURN)
        at += 1
    return (start if closed else -1), stop, at


@inlined
def _decimal(text: Bytes, at: int, end: int) -> tuple[bool, bool, int, int, bool]:
    """Read [+-]digits[.digits][e[+-]digits]: (is one, negative, up to 18 digits, exponent of the last, non-zero rest)."""
    negative = at < end and text[at] == MINUS
    if at < end and (text[at] == PLUS or text[at] == MINUS):
        at += 1
    digits, exponent, count, decimals, rest = 0, 0, 0, False, False
    while at < end:
        digit = int(text[at]) - ZERO
        if 0 <= digit <= 9:
            count += 1
            if digits < 10**17:
                digits = digits * 10 + digit
                exponent -= decimals
            else:
                rest = rest or digit > 0
                exponent += not decimals
        elif text[at] == POINT and not decimals:
            decimals = True
        else:
            break
        at += 1
    if count > 0 and at < end and (int(text[at]) | SPACE) == LOWER_E:
        at += 1
        down = at < end and text[at] == MINUS
        if at < end and (text[at] == PLUS or text[at] == MINUS):
            at += 1
        power, count = 0, 0
        while at < end and ZERO <= text[at] <= NINE:
            power = min(power * 10 + int(text[at]) - ZERO, 10**6)
            count += 1
            at += 1
        exponent += -power if down else power
    return count > 0 and at == end, negative, digits, exponent, rest


@inlined
def _scaled(digits: int, exponent: int) -> int:
    """Return digits * 10**exponent, half up; -1: larger than MAX_WHOLE."""
    if exponent < -19:
        return 0
    while exponent < -1:
        digits //= 10
        exponent += 1
    if exponent == -1:
        digits = (digits + 5) // 10
    while exponent > 0 and 0 < digits <= MAX_WHOLE:
        digits *= 10
        exponent -= 1
    return digits if digits <= MAX_WHOLE else -1


@inlined
def _not_finite(text: Bytes, at: int, end: int) -> bool:
    if at < end and (text[at] == PLUS or text[at] == MINUS):
        at += 1
    word = 0
    if end - at <= 8:
        for i in range(at, end):
            word = word * 256 + (int(text[i]) | SPACE)
    return word in (NAN, INF, INFINITY)


@kept
def parse_prices(text: Bytes, starts: Ints, ends: Ints, decimals: int, out: Ints) -> None:
    """Write each field times 10**decimals, half up, into `out`; or 0 for a negative one, or a code of `TickBatch.price`."""
    for i in range(out.shape[0]):
        is_number, negative, digits, exponent, _ = _decimal(text, starts[i], ends[i])
        if is_number:
            price = 0 if negative else _scaled(digits, exponent + decimals)
            out[i] = price if 0 <= price <= MAX_PRICE else PRICE_UNPARSABLE
        else:
            out[i] = PRICE_NOT_FINITE if _not_finite(text, starts[i], ends[i]) else PRICE_UNPARSABLE


@kept
def parse_volumes(text: Bytes, starts: Ints, ends: Ints, out: Ints) -> None:
    """Write each field into `out` if it is a whole number from 0 to MAX_WHOLE ("75", "75.0", "7.5e1"), else -1."""
    for i in range(out.shape[0]):
        is_number, negative, digits, exponent, rest = _decimal(text, starts[i], ends[i])
        while exponent < 0 < digits and digits % 10 == 0:
            digits //= 10
            exponent += 1
        if not is_number or rest or (digits > 0 and (negative or exponent < 0)):
            out[i] = -1
        else:
            out[i] = _scaled(digits, max(exponent, 0))


@kept
def gather(text: Bytes, starts: Ints, ends: Ints, out: Bytes, offsets: Ints) -> None:
    """Copy fields one after the other into `out`; field i is then out[offsets[i]:offsets[i + 1]]."""
    at = 0
    for i in range(starts.shape[0]):
        offsets[i] = at
        for place in range(starts[i], ends[i]):
            out[at] = text[place]
            at += 1
    offsets[starts.shape[0]] = at
