"""Views made by hand, and the settings and clocks of tests that judge them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from myquant.config.loading import LoadedConfig, load_config
from myquant.journal.record import Ledger, Telemetry
from myquant.monitor.faults import Around, Memory
from myquant.monitor.finding import Finding
from myquant.monitor.judge import judge
from myquant.monitor.view import InstrumentView, OrderView, ProcessView, SessionView

SECOND = 10**9
NOON = 1_759_473_000 * SECOND  # 2025-10-03 12:00:00 IST, a Friday
MONO = 5_000 * SECOND  # the monotonic clock then
SYMBOL = "NIFTY07OCT2524900CE"
CALM = Telemetry(*[0] * len(Telemetry._fields))
EVEN = Ledger(*[0] * len(Ledger._fields))


def loaded(**settings: Any) -> LoadedConfig:
    """Return the defaults, changed: `risk__max_day_loss=500`."""
    return load_config(assignments=[f"{name.replace('__', '.')}={value}" for name, value in settings.items()])


def view(name: str = "monday", config: LoadedConfig | None = None, **facts: Any) -> SessionView:
    """Return a session that runs and is well, but for these facts."""
    made = SessionView(
        name=name,
        folder=Path("runs") / name,
        kind="live",
        symbols=(SYMBOL,),
        strategy="default",
        config=config or loaded(),
        engine_hash="e" * 64,
        process=ProcessView(4321, NOON - 3_600 * SECOND),
        starts=1,
        records=1_000,
        written_wall_ns=NOON,
        beat_wall_ns=NOON,
        beat_mono_ns=MONO,
        records_left=300_000,
        disk_free_bytes=10**11,
        telemetry=CALM,
        telemetry_wall_ns=NOON,
        ledger=EVEN,
        feed_stale=False,
        packet_mono_ns=MONO,
        is_market_open=True,
        delay_min_ns=20_000_000,
        instruments=[InstrumentView(SYMBOL)],
    )
    for key, value in facts.items():
        setattr(made, key, value)
    return made


def held(units: int = 75, *, bare_since_ns: int | None = None) -> list[InstrumentView]:
    """Return the instrument of a session that holds so much."""
    return [InstrumentView(SYMBOL, quantity=units, bare_since_ns=bare_since_ns)]


def order(order_id: int = 7, state: str = "sent", age_s: float = 0, trigger: int = 0, quantity: int = 75) -> OrderView:
    """Return an order; with a trigger, a stop order."""
    age_ns = round(age_s * SECOND)
    made = OrderView(order_id, 0, is_buy=not trigger, quantity=quantity, price=10_000, trigger=trigger, reason="")
    made.state, made.sent_wall_ns, made.sent_mono_ns = state, NOON - age_ns, MONO - age_ns
    return made


def found(
    *views: SessionView,
    config: LoadedConfig | None = None,
    after_s: float = 0,
    memory: Memory | None = None,
    around: Around | None = None,
    rules: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """Return what is found so long after noon."""
    after_ns = round(after_s * SECOND)
    settings = (config or loaded()).config.monitor
    more = {} if rules is None else {"rules": rules}
    return judge(
        {each.name: each for each in views},
        settings,
        NOON + after_ns,
        MONO + after_ns,
        memory=memory,
        around=around or Around(),
        **more,
    )


def keys(findings: list[Finding]) -> set[tuple[str, str, str]]:
    """Return rule, subject and severity of each."""
    return {(each.rule, each.subject, each.severity) for each in findings}
