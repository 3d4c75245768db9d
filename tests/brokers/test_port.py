"""The ports: tags that name an order, credentials that never show."""

import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.brokers.angelone.settings import AngelOneCredentials
from myquant.brokers.port import TAG_LENGTH, order_of_tag, order_tag

KEYS = st.integers(0, 2**64 - 1)
ORDERS = st.integers(1, 36**4 - 1)
PARTS = st.integers(0, 36**2 - 1)


@given(key=KEYS, order=ORDERS, part=PARTS)
def test_a_tag_is_short_plain_and_leads_back(key: int, order: int, part: int) -> None:
    tag = order_tag(key, order, part)
    assert len(tag) == TAG_LENGTH == 19
    assert set(tag) <= set(string.ascii_uppercase + string.digits)
    assert order_of_tag(tag, key) == order_of_tag(tag.lower(), key) == (order, part)


@given(first=st.tuples(KEYS, ORDERS, PARTS), second=st.tuples(KEYS, ORDERS, PARTS))
def test_no_two_slices_share_a_tag(first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    assert (order_tag(*first) == order_tag(*second)) == (first == second)


def test_the_tag_of_another_session_or_hand_is_not_ours() -> None:
    tag = order_tag(7, 3, 1)
    assert order_of_tag(tag, 8) is None
    for other in ("", "openalgo", "-" * 19, "é" * 19, tag[:-1], tag + "0", tag[:13] + "000001"):
        assert order_of_tag(other, 7) is None


@pytest.mark.parametrize(
    ("key", "order", "part"),
    [(-1, 1, 0), (2**64, 1, 0), (0, 0, 0), (0, -5, 0), (0, 36**4, 0), (0, 1, -1), (0, 1, 1296)],
)
def test_what_no_tag_can_name_is_an_error(key: int, order: int, part: int) -> None:
    with pytest.raises(ValueError, match="must be in"):
        order_tag(key, order, part)


def test_credentials_never_show() -> None:
    credentials = AngelOneCredentials("k-planted", "c-planted", "p-planted", "t-planted")
    for text in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}", f"{vars()}"):
        assert "AngelOneCredentials(***)" in text
        assert "planted" not in text
    assert credentials.secrets() == ("k-planted", "c-planted", "p-planted", "t-planted")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    rooms = "myquant.brokers.port, myquant.brokers.supervised, myquant.brokers.secrets, myquant.brokers.angelone.master"
    program = f"import sys, {rooms}, myquant.brokers.angelone.client\n"
    program += "print(sorted({'aiohttp', 'keyring', 'pyotp', 'picows', 'polars', 'structlog'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert ended.stdout == "[]\n"
