"""The prices that a decision counts on, by the configured fill model. The simulated exchange fills at the same ones."""

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.records import Rules, Tape


@inlined
def quote_is_usable(tape: Tape) -> bool:
    """Return whether both sides are quoted and not crossed."""
    return 0 < tape.bid <= tape.ask


@inlined
def buy_price(tape: Tape, rules: Rules) -> int:
    """Return what a buy would pay now, slippage included, paise; by limit orders without a quote the last price."""
    by_limit = rules.fill_model == codes.FILL_AT_LIMIT and quote_is_usable(tape)
    base = tape.ask if rules.fill_model == codes.FILL_AT_QUOTE or by_limit else tape.last_price
    return base + rules.slippage


@inlined
def sell_price(tape: Tape, rules: Rules) -> int:
    """Return what a sell would bring now, slippage included; without a usable quote the last price; at least 1 paisa."""
    quoted = rules.fill_model != codes.FILL_AT_LTP and quote_is_usable(tape)
    return max(1, (tape.bid if quoted else tape.last_price) - rules.slippage)
