"""A process that has all loaded and waits to be the next session: `python -m bench.standby`.

Says that it is ready; then takes a line of JSON, the words of a command line of `myquant`, and is that command.
"""

import json
import sys
from importlib import import_module
from typing import Final

from myquant.cli.app import main
from myquant.session.runner import is_ready
from myquant.strategies.loading import default_strategy

LOADED: Final = (
    "keyring",
    "myquant.brokers.angelone.opening",
    "myquant.cli.settings",
    "myquant.cli.starting",
    "myquant.session.broker_side",
    "myquant.session.process",
    "myquant.session.shadow",
    "myquant.session.simulated",
    "rich.console",
    "uvloop",
)
READY: Final = "ready"


def wait() -> int:
    """Load everything, wait for a command line, and run it."""
    for name in LOADED:
        import_module(name)
    is_ready(default_strategy())  # loads its machine code
    print(READY, flush=True)
    words: list[str] = json.loads(sys.stdin.readline())
    return int(main(words))


if __name__ == "__main__":
    sys.exit(wait())
