"""What is told to people though it is no fault: entries, exits, the beginning and the end of a day."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from myquant.core import codes
from myquant.core.records import Command
from myquant.monitor.finding import plain
from myquant.monitor.view import News, SessionView
from myquant.results.text import clock_time, counted, grouped, label, signed

SECOND_NS: Final = 10**9
ENTRY, EXIT, DAY_START, DAY_END = "entry", "exit", "day_start", "day_end"


class NewsDesk:
    """Writes the news of one session: only of what was not told before, and not of what happened before anybody watched.

    Attributes:
        told: number of the last record whose news were handed over, by an earlier process of the monitor too.
    """

    def __init__(self, view: SessionView, *, told: int = 0, since_wall_ns: int = 0) -> None:
        self.told = told
        self._view = view
        self._since_wall_ns = since_wall_ns
        self._has_begun = False
        self._zone = ZoneInfo(view.config.config.session.timezone)
        self._day, self._net = date.min, 0  # what the trades of a day have brought, paise

    def opened(self, command: Command, number: int, wall_ns: int) -> None:
        """Tell of a position that was opened or grew."""
        text = f"bought {command.quantity:,} {self._symbol(command.instrument)} at {_price(command.price)}"
        self._tell(ENTRY, number, wall_ns, f"{text}, stop {_price(command.stop)}; {self._so_far(wall_ns)}")

    def closed(self, command: Command, number: int, wall_ns: int) -> None:
        """Tell of a trade that was closed."""
        reason = label(codes.EXIT_NAMES.get(command.reason, f"code {command.reason}"))
        text = f"sold {command.quantity:,} {self._symbol(command.instrument)} at {_price(command.price)}"
        so_far = self._so_far(wall_ns, command.net)
        self._tell(EXIT, number, wall_ns, f"{text}: {reason}, net {_rupees(command.net)}; {so_far}")

    def healthy(self, number: int, wall_ns: int) -> None:
        """Tell that the day has begun, at the first feed that is healthy."""
        if not self._has_begun:
            self._has_begun = True
            view = self._view
            what = f"strategy {view.strategy} on {', '.join(view.symbols)}"
            self._tell(DAY_START, number, wall_ns, f"the day begins: {what}; the feed is healthy")

    def left(self, code: int, number: int, wall_ns: int) -> None:
        """Tell how the day went, when a process of the session leaves."""
        view = self._view
        net = view.net_pnl if view.ledger is None else view.ledger.day_pnl
        charges = view.charges if view.ledger is None else view.ledger.charges
        held = ", ".join(f"{units:,} {symbol}" for symbol, units in view.holds.items())
        left = f"; it still holds {held}" if held else ""
        text = f"P&L of the day {_rupees(net)}, {counted(view.trades, 'trade')}, charges {grouped(charges / 100, unit='₹')}{left}"
        how = "" if code == 0 else f"; it left with exit code {code}"
        self._tell(DAY_END, number, wall_ns, f"{text}{how}")

    def _tell(self, kind: str, number: int, wall_ns: int, text: str) -> None:
        if number > self.told and wall_ns >= self._since_wall_ns:
            at = clock_time(wall_ns, self._zone)
            self._view.news.append(News(kind, self._view.name, wall_ns, plain(f"{at} {text}"), self._view.kind))

    def _so_far(self, wall_ns: int, net: int = 0) -> str:
        """Return what the day's trades have brought, another one included."""
        day = datetime.fromtimestamp(wall_ns // SECOND_NS, self._zone).date()
        self._day, self._net = day, net + (self._net if day == self._day else 0)
        return f"closed trades of the day {_rupees(self._net)}"

    def _symbol(self, who: int) -> str:
        return self._view.symbols[who] if 0 <= who < len(self._view.symbols) else f"instrument {who}"


def _price(paise: int) -> str:
    return f"{paise / 100:.2f}"


def _rupees(paise: int) -> str:
    return signed(paise / 100, unit="₹")
