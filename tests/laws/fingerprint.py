"""A program: runs a fixed tape under several settings and prints a digest of every command and of the state."""

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from laws.cases import CASES
from laws.driver import random_ticks, replay, settings
from myquant.core import codes


def fingerprint(count: int) -> str:
    """Return the digest, and the number of trades, over `count` ticks for each of the cases."""
    digest, trades = hashlib.sha256(), 0
    for number, (case, values) in enumerate(CASES.items()):
        ticks = random_ticks(number, count=count, days=2, quotes=case == "quotes")
        commands, snapshot = replay(ticks, settings(values))
        digest.update(commands.tobytes() + snapshot)
        trades += int((commands["kind"] == codes.TRADE_CLOSED).sum())
    return f"{digest.hexdigest()} {trades}"


if __name__ == "__main__":
    print(fingerprint(int(sys.argv[1])))  # noqa: T201  (it is a program)
