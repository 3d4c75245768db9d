"""Where Angel One's services are, what they are called, and how often they may be asked (as of November 2026)."""

from dataclasses import dataclass
from typing import Final

from myquant.brokers.addresses import checked_url
from myquant.brokers.port import Credentials

BROKER: Final = "angelone"

_AUTH: Final = "/rest/auth/angelbroking"
_SECURE: Final = "/rest/secure/angelbroking"
LOGIN: Final = f"{_AUTH}/user/v1/loginByPassword"
GENERATE_TOKENS: Final = f"{_AUTH}/jwt/v1/generateTokens"
LOGOUT: Final = f"{_SECURE}/user/v1/logout"
PROFILE: Final = f"{_SECURE}/user/v1/getProfile"
FUNDS: Final = f"{_SECURE}/user/v1/getRMS"
_ORDER: Final = f"{_SECURE}/order/v1"
LAST_PRICE: Final = f"{_ORDER}/getLtpData"
PLACE: Final = f"{_ORDER}/placeOrder"
MODIFY: Final = f"{_ORDER}/modifyOrder"
CANCEL: Final = f"{_ORDER}/cancelOrder"
ORDER_BOOK: Final = f"{_ORDER}/getOrderBook"
TRADE_BOOK: Final = f"{_ORDER}/getTradeBook"
POSITIONS: Final = f"{_ORDER}/getPosition"

# Shortest time between two calls, seconds: the broker's limit per second, with a little to spare.
PACES_S: Final = {
    LOGIN: 1.05,
    GENERATE_TOKENS: 1.05,
    LOGOUT: 1.05,
    PROFILE: 0.35,
    FUNDS: 0.55,
    LAST_PRICE: 0.105,
    ORDER_BOOK: 1.05,
    TRADE_BOOK: 1.05,
    POSITIONS: 1.05,
}
# Place, modify and cancel: so many together in a calendar second, and each so many in a minute and in an hour.
ORDERS_PER_SECOND: Final = 9
ORDERS_PER_MINUTE: Final = 500
ORDERS_PER_HOUR: Final = 1000

# The feed. `SUBSCRIPTIONS_MAX` counts each token once per mode.
CONNECTIONS_MAX: Final = 3
SUBSCRIPTIONS_MAX: Final = 1000
TOKENS_PER_REQUEST: Final = 500
PING_S: Final = 10.0
MODES: Final = {"ltp": 1, "quote": 2, "snap_quote": 3}

# Segments of the instrument master, as the feed numbers them.
EXCHANGE_TYPES: Final = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "MCX": 5, "NCX": 7, "CDS": 13}
# Indices whose tokens are published: they serve where the master does not list them.
INDICES: Final = {
    "NIFTY": ("NSE", "99926000"),
    "BANKNIFTY": ("NSE", "99926009"),
    "FINNIFTY": ("NSE", "99926037"),
    "SENSEX": ("BSE", "99919000"),
}

SECRETS: Final = ("api_key", "client_code", "pin", "totp_secret")


@dataclass(frozen=True, repr=False)
class AngelOneCredentials(Credentials):
    """What the login takes; the names are those of `SECRETS`. `totp_secret`: in base32."""

    api_key: str
    client_code: str
    pin: str
    totp_secret: str


@dataclass(frozen=True)
class Endpoints:
    """The addresses of the services. Without TLS only this machine's, else ConfigError."""

    rest: str
    stream: str
    master: str
    updates: str  # what becomes of orders

    def __post_init__(self) -> None:
        web, socket = ("https", "http"), ("wss", "ws")
        for name, schemes in (("rest", web), ("stream", socket), ("master", web), ("updates", socket)):
            object.__setattr__(self, name, checked_url(getattr(self, name), schemes=schemes))


@dataclass(frozen=True)
class Machine:
    """What every request has to say of the machine it comes from.

    Only order calls are held against the registered public address; the defaults are placeholders for all others.
    """

    local_ip: str = "127.0.0.1"
    public_ip: str = "127.0.0.1"
    mac: str = "00:00:00:00:00:00"
