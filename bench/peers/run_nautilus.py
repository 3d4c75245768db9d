"""The reduced job in nautilus_trader: a Python strategy on trade ticks in its BacktestEngine.

Trades move the market (`trade_execution`), so a market order sent from `on_trade_tick` fills at that tick's price; the ticks
carry ample size, as the engine would else slip what exceeds it. The account's currency has six decimals instead of two,
so that fees are not rounded. Logging, the risk engine and the closing analysis are off, as its guide advises for speed.
Building the engine and its ticks is not timed.
"""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from nautilus_trader.backtest.engine import (  # type: ignore[import-not-found,unused-ignore]  # its own environment
    BacktestEngine,
    BacktestEngineConfig,
)
from nautilus_trader.config import (  # type: ignore[import-not-found,unused-ignore]  # likewise
    LoggingConfig,
    RiskEngineConfig,
)
from nautilus_trader.model.currencies import INR  # type: ignore[import-not-found,unused-ignore]  # likewise
from nautilus_trader.model.data import TradeTick  # type: ignore[import-not-found,unused-ignore]  # likewise
from nautilus_trader.model.enums import (  # type: ignore[import-not-found,unused-ignore]  # likewise
    AccountType,
    CurrencyType,
    OmsType,
    OrderSide,
)
from nautilus_trader.model.identifiers import (  # type: ignore[import-not-found,unused-ignore]  # likewise
    InstrumentId,
    Venue,
)
from nautilus_trader.model.instruments import Equity  # type: ignore[import-not-found,unused-ignore]  # likewise
from nautilus_trader.model.objects import (  # type: ignore[import-not-found,unused-ignore]  # likewise
    Currency,
    Money,
    Price,
    Quantity,
)
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found,unused-ignore]  # likewise
