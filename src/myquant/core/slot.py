"""The shape of a strategy: the names that the engine takes from one, here with the smallest possible bodies.

`engine` imports its strategy from this module. A specialised engine is the same source with this one import pointing at
the strategy (strategies/specialise.py); un-specialised it never enters.
"""

from typing import NamedTuple

import numpy as np

from myquant.core.compiled import inlined
from myquant.core.records import Context, Rules, Tick

MEMORY = 0  # float64 places that the strategy's windows need
HAS_STOP = False
HAS_EXIT = False


class Params(NamedTuple):
    """The strategy's parameters: int, float or bool."""

    unused: int = 0


class State(NamedTuple):
    """What the strategy remembers: int, float, bool, or named tuples of these; its defaults are the first state."""

    unused: int = 0


FIRST_STATE = State()


@inlined
def update(state: State, tick: Tick, params: Params, memory: np.ndarray) -> State:  # noqa: ARG001  (the shape)
    """Return the state after a tick; called on every accepted tick, in or out of session or position."""
    return state


@inlined
def entry(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: ARG001  (the shape)
    """Return whether to enter now, as a state and not as an event."""
    return False


@inlined
def stop(state: State, tick: Tick, context: Context, params: Params) -> float:  # noqa: ARG001  (the shape)
    """Return the initial stop in rupees for an entry now, in place of the configured one; not finite: not ready."""
    return 0.0


@inlined
def exit_(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: ARG001  (the shape)
    """Return whether to close the open position now."""
    return False


@inlined
def is_usual(rules: Rules, params: Params) -> bool:  # noqa: ARG001  (the shape)
    """Return whether the settings are the usual ones, for which the hot loop is compiled apart."""
    return False


@inlined
def as_usual(rules: Rules, params: Params) -> tuple[Rules, Params]:
    """Return usual settings with what makes them so as constants, so that what they switch off is compiled away."""
    return rules, params
