"""A position bought, with its stop order at work: where tables about orders that take their time begin."""

from typing import Any

from session.play import Play

BOUGHT = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
    10:00:01  ack #1                  |
    10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
    10:00:01  ack #2                  |
"""
TRAILING: dict[str, Any] = {"risk__use_trail_stop": True}


def works(**changes: Any) -> Play:
    return Play(execution__fill_model="limit", **changes)
