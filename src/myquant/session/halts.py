"""Why entries are halted, in words, and what to do: RUNBOOK.md, "Halts", in short."""

from typing import Final, NamedTuple

from myquant.core import codes

RESUME: Final = "`myquant resume`"


class Halt(NamedTuple):
    """A reason to halt for people, and how entries come back."""

    text: str
    remedy: str


HALTS: Final = {
    codes.BY_OPERATOR: Halt("a person asked for it", RESUME),
    codes.BY_REJECTS: Halt(
        "too many orders were refused, one after the other", f"read the refusals in the log; then {RESUME}"
    ),
    codes.BY_UNKNOWN_ORDER: Halt(
        "an order has had no answer", "wait: the broker's books will tell, and entries come back by themselves"
    ),
    codes.BY_IMPOSSIBLE_EVENT: Halt("an answer came that can't be", "stop, keep the folder and report it"),
    codes.BY_JOURNAL: Halt("the journal can't be written", f"see to the disk; then {RESUME}"),
    codes.BY_STALE_FEED: Halt(
        "a position was open for too long without a feed",
        f"{RESUME}, once the feed is back; in doubt `myquant flatten`",
    ),
    codes.BY_FOREIGN_TRADE: Halt(
        "the account has a trade that is not ours",
        "compare the account with the positions of `myquant status`: what it has beside them is yours to manage; buy nothing where it has less,"
        f" as what was sold is taken out by itself; then {RESUME}",
    ),
    codes.BY_UNPROTECTED: Halt(
        "no stop order could be had for a position", f"see at the broker that it is closed; then {RESUME}"
    ),
    codes.BY_ORDER_RATE: Halt(
        "the limit of orders a second, or a day, is reached", f"is the strategy right? Then {RESUME}"
    ),
    codes.BY_ORDER_CHANNEL: Halt(
        "orders can't be sent, or their answers not be heard",
        f"look at the log's last `order channel` line: once it says that it is up, {RESUME}",
    ),
    codes.BY_MARGIN: Halt("the broker's funds do not suffice", f"see to the account's funds; then {RESUME}"),
    codes.BY_FENCE: Halt(
        "another session, or a flattening, had taken over the account",
        f"look at the positions; then {RESUME}: it has been started again since, and has the account back",
    ),
    codes.BY_BOOKS: Halt(
        "the broker's books differ from ours, or an order that had ended was filled",
        f"compare with the broker's pages, close by hand what differs; better stop than {RESUME}",
    ),
}
