"""Inside its band a price changes nothing that the band is about; just outside it does."""

from typing import get_type_hints

from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from core.jit import jitted
from myquant.core import calm
from myquant.core.account import observe_equity
from myquant.core.calm import NO_BAND, Band
from myquant.core.records import NEVER, NO_POSITION, Account, Position

EMPTY_ACCOUNT = Account(**{name: kind(0) for name, kind in get_type_hints(Account).items()})


@jitted
def step(band: Band, account: Account, position: Position, price: int) -> tuple[Band, Account]:
    account = observe_equity(account)
    return calm.next_band(band, account, position, price), account


def held_at(quantity: int, floor: int, highest: int, target: int) -> Position:
    return NO_POSITION._replace(quantity=quantity, floor=floor, highest=highest, target=target)


def asks(account: Account, position: Position, price: int, held: int) -> bool:
    """Return whether a price does something: a new peak or drawdown, an exit, a higher trailing stop."""
    equity = account.cash + account.open_value + position.quantity * (price - held)
    drawdown = account.peak_equity - equity
    moves = drawdown < 0 or drawdown > account.max_drawdown
    return moves or price <= position.floor or price >= position.target or price > position.highest


@checks(max_examples=300, deadline=None)
@given(
    quantity=st.integers(1, 5000),
    cash=st.integers(0, 10**8),
    first=st.integers(2_000, 40_000),
    lost=st.tuples(st.integers(-(10**5), 10**6), st.integers(0, 10**6)),
    levels=st.tuples(st.integers(0, 3_000), st.integers(0, 100), st.one_of(st.integers(1, 3_000), st.just(NEVER))),
    prices=st.lists(st.integers(-120, 120), min_size=1, max_size=30),
)
def test_a_band_is_exactly_what_changes_nothing(
    quantity: int,
    cash: int,
    first: int,
    lost: tuple[int, int],
    levels: tuple[int, int, int],
    prices: list[int],
) -> None:
    equity = cash + quantity * first
    account = EMPTY_ACCOUNT._replace(
        cash=cash, open_value=quantity * first, peak_equity=equity + lost[0], max_drawdown=lost[1]
    )
    below, above, target = levels
    position = held_at(quantity, first - below - 1, first + above, first + target if target < NEVER else NEVER)
    band, account = step(NO_BAND, account, position, first)
    last = first
    for move in prices:
        price = max(1, last + move)
        for edge, inside in ((band.low, True), (band.low - 1, False), (band.high, True), (band.high + 1, False)):
            if band.low <= band.high:
                assert asks(account, position, edge, last) != inside, (edge, inside)
        account = account._replace(open_value=account.open_value + quantity * (price - last))
        last = price
        if not band.low <= price <= band.high:
            position = position._replace(highest=max(position.highest, price))
            band, account = step(band, account, position, price)
            assert band == step(NO_BAND, account, position, price)[0]
