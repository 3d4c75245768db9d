"""Codes of journals that the engine does not tell apart: those who read what it did do. Else as `core.codes`."""

from typing import Final

# `Event.code` of a FILL, beside `core.codes.OF_LOST_ORDER`: of an order that the engine has forgotten. It is in no book of
# the engine's; what a sell has sold so comes as a FOREIGN_TRADE, at once or when the broker's books tell.
OF_FORGOTTEN: Final = 2
