"""Sells of ours that end otherwise than they were meant to: refused, or filled after the engine has forgotten them."""

from typing import Final

from myquant.brokers.port import OrderAnswer

MARGIN_WORDS: Final = (
    "margin",
    "insufficient fund",
    "insufficient balance",
    "shortfall",
)  # in what brokers refuse with


class LateFills:
    """What each sell has filled as far as the engine has heard: of one that it has forgotten, what comes later is new.

    A stop order that somebody else cancels is replaced at once, and the engine keeps one of them; the venue may tell the
    cancellation before the last fill.
    """

    def __init__(self) -> None:
        self._heard: dict[int, tuple[int, int]] = {}  # units and paise, by order

    def hear(self, answer: OrderAnswer) -> None:
        """Take an answer that the engine takes, too."""
        self._heard[answer.order_id] = answer.filled, answer.value

    def beyond(self, answer: OrderAnswer) -> tuple[int, int]:
        """Return the units, and what they brought, that an order of which the engine has no slot any more has sold since.

        None of one that was never heard of as a sell: it is an entry, or an earlier process's, of which the books tell.
        """
        if answer.order_id not in self._heard:
            return 0, 0
        units, value = self._heard[answer.order_id]
        self.hear(answer)
        return answer.filled - units, answer.value - value


def is_about_margin(words: str) -> bool:
    """Return whether a broker's refusal says that the money does not suffice."""
    said = words.lower()
    return any(word in said for word in MARGIN_WORDS)
