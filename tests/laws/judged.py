"""What the settings of rules and alerts steer: findings of sessions made by hand, and what is told of them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from monitor.made_views import CALM, EVEN, MONO, NOON, SECOND, held, order, view
from monitor.told import fault, news
from myquant.config.loading import LoadedConfig, load_config
from myquant.monitor.alerting import Alerting
from myquant.monitor.book import Book
from myquant.monitor.expected import Expected
from myquant.monitor.faults import Around, Memory
from myquant.monitor.finding import CRITICAL, INFO, WARNING
from myquant.monitor.judge import judge
from myquant.monitor.message import Message
from myquant.monitor.view import ProcessView

Values = Mapping[str, Any]

WHAT: Mapping[str, Mapping[str, Any]] = {
    "silent": {"beat_mono_ns": MONO - 4 * SECOND, "is_market_open": False},
    "stale": {"feed_stale": True, "feed_since_ns": NOON - 5 * SECOND, "open_for_ns": 60 * SECOND},
    "cut_off": {"telemetry": CALM._replace(channel_down_ns=5 * SECOND)},
    "bare": {"instruments": held(bare_since_ns=NOON - 6 * SECOND)},
    "unanswered": {"orders": {7: order(age_s=12)}},
    "refused": {"ledger": EVEN._replace(rejects_in_row=2)},
    "loses": {"ledger": EVEN._replace(day_pnl=-60_000)},
    "fills_up": {"telemetry": CALM._replace(queue_depth=85, queue_room=100)},
    "off_the_clock": {"delay_min_ns": 3 * SECOND},
    "behind": {"unread_since_ns": NOON - 6 * SECOND},
    "short_of_disk": {"disk_free_bytes": 1000 * 2**20},
    "slower": {"drift_percent": 30.0},
    "differs": {"replay": "record 7"},
}


def loaded(values: Values) -> LoadedConfig:
    return load_config(values=_nested(values))


def _nested(values: Values) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, key = name.split(".")
        table.setdefault(section, {})[key] = value
    return table


def found(what: str) -> Callable[[Values], list[tuple[str, str]]]:
    """Return the probe that judges a session with this fault: rules, and how far it has gone."""

    def probe(values: Values) -> list[tuple[str, str]]:
        config = loaded(values)
        each = view(config=config, **WHAT[what])
        return [(one.rule, one.state) for one in judge({"s": each}, config.config.monitor, NOON, MONO)]

    return probe


def silent_feed(values: Values) -> list[int]:
    """Return the seconds of silence at which the feed's age is found."""
    config, memory = loaded(values), Memory()
    at: list[int] = []
    for after_s in range(12):
        wall_ns, mono_ns = NOON + after_s * SECOND, MONO + after_s * SECOND
        each = view(config=config, beat_mono_ns=mono_ns, beat_wall_ns=wall_ns)
        rules = {one.rule for one in judge({"s": each}, config.config.monitor, wall_ns, mono_ns, memory=memory)}
        at += [after_s] * ("feed_age" in rules)
    return at


def missing(values: Values) -> list[str]:
    """Return which sessions are missing at noon, as none but `monday` has begun."""
    config = loaded(values)
    views = {"monday": view(process=ProcessView(1, NOON - SECOND))}
    around = Around(expected=Expected(config.config))
    return [one.text for one in judge(views, config.config.monitor, NOON, MONO, around=around)]


def told(values: Values) -> list[tuple[int, str, str, str]]:
    """Return what is told, and when, in an hour after noon: second, channel, severity and title."""
    channels = {f"alerts.{severity}": ("chat",) for severity in (INFO, WARNING, CRITICAL)}
    seen: list[tuple[int, str, str, str]] = []
    now_s = 0

    def post(message: Message) -> None:
        seen.append((now_s, message.channel, message.severity, message.title))

    with TemporaryDirectory() as folder, Book(Path(folder)) as book:
        alerting = Alerting(loaded({**channels, **values}).config.alerts, ZoneInfo("Asia/Kolkata"), book, post)
        happened = tuple(news(kind, text=kind) for kind in ("entry", "exit", "day_start"))
        for now_s in range(0, 3_600, 5):
            lasting = [fault(), fault("engine_dead", CRITICAL)]
            short = [fault("log_errors", subject=str(now_s))] if now_s % 60 == 0 else []
            alerting.take([*lasting, *short], happened, NOON + now_s * SECOND)
            happened = ()
    return seen


def told_of(kind: str) -> Callable[[Values], bool]:
    """Return the probe that tells whether such a message is told."""

    def probe(values: Values) -> bool:
        texts: list[str] = []
        settings = loaded({"alerts.info": ("chat",), "alerts.group_s": 0, **values}).config.alerts
        with TemporaryDirectory() as folder, Book(Path(folder)) as book:
            alerting = Alerting(settings, ZoneInfo("UTC"), book, lambda message: texts.append(message.body))
            alerting.take([], [replace(news(kind), text="what happened")], NOON)
        return bool(texts)

    return probe
