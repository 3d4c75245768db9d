"""What a trader sees of a running session."""

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from rich.table import Table

from myquant.cli.output import NOTHING, console, money
from myquant.results.text import clock_time, counted, date_time
from myquant.results.units import rupees
from myquant.session.status import InstrumentStatus, OrdersStatus, SessionStatus

WIDTH_MAX: Final = 1000  # a table is as wide as it is: a terminal wraps it, a file has it whole
MEGABYTE: Final = 10**6
COLUMNS: Final = (
    *(
        "Instrument",
        "Ticks",
        "Last tick (exchange)",
        "Price",
        "Position",
        "Entry",
        "Stop",
        "Trailing",
        "Target",
        "Open P&L",
    ),
    "Order",
)


def print_status(status: SessionStatus) -> None:
    """Print a session's status for people."""
    out = console()
    out.width = WIDTH_MAX
    out.print(f"{status['session']} ({status['kind']})", style="bold")
    for name, text in _lines(status):
        out.print(f"  {name:<12}{text}")
    out.print()
    out.print(_instruments(status))


def _lines(status: SessionStatus) -> Iterator[tuple[str, str]]:
    zone = ZoneInfo(status["time_zone"])
    feed, entries, orders, journal = status["feed"], status["entries"], status["orders"], status["journal"]
    exchange_ns = status["exchange_now_ns"]
    exchange = "not told yet" if exchange_ns is None else date_time(exchange_ns, zone)
    yield "Clocks", f"here {date_time(status['wall_now_ns'], zone)}, exchange {exchange}"
    yield "Running", f"since {date_time(status['started_ns'], zone)} (here), process {status['pid']}"
    state = "healthy" if feed["healthy"] else "stale"
    yield "Feed", f"{state} since {clock_time(feed['since_ns'], zone)} (here){_why(feed['reason'])}"
    funds = entries["broker_funds_paise"]
    limit = "" if funds is None else f"; the broker's funds limit them to {money(rupees(funds))}"
    yield "Entries", f"{'allowed' if entries['allowed'] else 'not allowed'}{_why(entries['reason'])}{limit}"
    if (halt := status["halt"]) is not None:
        since = (
            "before this process began" if halt["since_ns"] is None else f"{clock_time(halt['since_ns'], zone)} (here)"
        )
        yield "Halted", f"since {since}: {halt['text']}. What to do: {halt['remedy']}"
    yield "Day P&L", money(rupees(status["day_pnl_paise"]))
    yield "Orders", ", ".join(f"{count:,} {name}" for name, count in _counts(orders))
    used, free = (f"{size / MEGABYTE:,.1f} MB" for size in (journal["used_bytes"], journal["free_bytes"]))
    yield "Journal", f"{counted(journal['records'], 'record')}, {used}; {free} free on its disk"
    last, none = status["last_error"], "none since this process began"
    error = f"{status['errors']:,} since this process began, the last at {{}} (here): {{}}"
    yield "Errors", none if last is None else error.format(clock_time(last["time_ns"], zone), last["text"])


def _counts(orders: OrdersStatus) -> Iterator[tuple[str, int]]:
    """Yield the counts of orders with their names."""
    yield "sent", orders["sent"]
    yield "working", orders["working"]
    yield "rejected", orders["rejected"]
    if orders["not_sent"]:
        yield "not sent (held back here)", orders["not_sent"]
    yield "unknown", orders["unknown"]


def _instruments(status: SessionStatus) -> Table:
    zone = ZoneInfo(status["time_zone"])
    grid = Table.grid(padding=(0, 3, 0, 0))
    for name in COLUMNS:
        grid.add_column(justify="left" if name in {"Instrument", "Order"} else "right", no_wrap=True)
    grid.add_row(*COLUMNS, style="dim")
    for instrument in status["instruments"]:
        grid.add_row(*_row(instrument, zone))
    return grid


def _row(instrument: InstrumentStatus, zone: ZoneInfo) -> Iterator[str]:
    last_ns, held = instrument["last_tick_ns"], instrument["position"]
    yield instrument["symbol"]
    yield f"{instrument['ticks']:,}"
    yield NOTHING if last_ns is None else clock_time(last_ns, zone)
    yield _price(instrument["last_price_paise"])
    if held is None:
        yield "flat"
        yield from [""] * 5
    else:
        yield f"{held['quantity']:,}"
        yield _price(held["entry_price_paise"])
        yield _price(held["stop_paise"])
        yield _price(held["trailing_stop_paise"])
        yield _price(held["target_paise"])
        yield _price(held["open_pnl_paise"])
    yield "; ".join(filter(None, (instrument["order"], instrument["stop_order"])))


def _price(paise: int | None) -> str:
    return NOTHING if paise is None else money(rupees(paise))


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""
