"""What every fault of the lab is: some numbers within bounds, and a name."""

import math
import re

from myquant.errors import ConfigError

SHARES = {"share", "taken"}  # fields that are a part of something, from 0 to 1


class Fault:
    """Some numbers, none negative; `share` is a part of what it can befall, from 0 to 1."""

    signed: tuple[str, ...] = ()  # fields that may be negative

    def __post_init__(self) -> None:
        """Raise ConfigError for a number out of range."""
        for name, value in vars(self).items():
            most = 1.0 if name in SHARES else math.inf
            least = -math.inf if name in self.signed else 0.0
            if not least <= value <= most or math.isinf(value):
                raise ConfigError(
                    f"fault {fault_name(type(self))}: {name} = {value}: must be from {least:g} to {most:g}"
                )


def fault_name(kind: type[Fault]) -> str:
    """Return the name by which a fault is asked for: `OutOfOrder` is out_of_order, `Login5xx` login_5xx."""
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", kind.__name__).lower()
