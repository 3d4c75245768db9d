"""Bounds and contradictions of every key: the outermost good values load, those beside them are named and refused."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from config.bounds import NUMBERS
from myquant.config.kinds import peel
from myquant.config.loading import DEFAULTS, load_config
from myquant.config.schema import SECTIONS, Config
from myquant.errors import ConfigError

CHOICES = {
    "risk.stop_loss_mode": ("points", "percent", "atr"),
    "execution.fill_model": ("ltp", "quote", "limit"),
    "execution.on_stop": ("keep", "flatten"),
    "feed.mode": ("snap_quote", "quote"),
    "journal.durability": ("process", "power"),
    "pipeline.handoff": ("callback", "queue", "ring"),
    "pipeline.logging": ("sync", "async"),
    "pipeline.results": ("off", "direct", "buffered"),
    "pipeline.frames": ("off", "append", "batch"),
    "session.source": ("calendar", "config"),
    "angelone.product": ("INTRADAY", "CARRYFORWARD"),
    "charges.model": ("percent", "india_index_options"),
    "charges.broker": ("zerodha", "angelone", "upstox"),
    "alerts.quiet_below": ("info", "warning", "critical"),
}
ADDRESS = (
    ["https://apiconnect.angelone.in", "wss://host/path-1", "http://127.0.0.1:8210", "ws://[::1]:8211/smart-stream"],
    ["", "host", "ftp://host", "https://", "https://a b", "https://user:word@host", "https://" + "x" * 300],
)
WEB_ADDRESS = (
    ["", "http://127.0.0.1:4318/v1/logs", "https://[::1]:3100/otlp/v1/logs?a=b", "https://collector.example"],
    ["host", "ftp://host/a", "https://", "https://a b/", "https://user:word@host/", "https://host/" + "x" * 300],
)
HASH = (
    ["", "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$aGFzaA"],
    ["secret", "$argon2i$v=19$m=1,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=1,t=1,p=1$YQ$", "$2b$12$abc", "x" * 301],
)
FILE = (["", "cert.pem", "/etc/ssl/a b.pem"], ["a\nb", "a\0b", "\udcff", "x" * 4097])
CLOCK = (["", "00:00", "23:59"], ["24:00", "9:10", "09:10:00", "noon"])
TEXTS = {
    "angelone.rest_url": ADDRESS,
    "angelone.stream_url": ADDRESS,
    "angelone.master_url": ADDRESS,
    "angelone.update_url": ADDRESS,
    "angelone.public_ip": (["203.0.113.7", "2001:db8::1"], ["", "host", "1", "203.0.113.7/24", "1" * 46]),
    "angelone.local_ip": (["192.168.1.2"], ["", "host"]),
    "monitor.host": (["127.0.0.1", "::1"], ["", "host"]),
    "angelone.mac": (["02:00:5e:10:00:01", "AA-BB-CC-DD-EE-FF"], ["", "02:00:5e:10:00", "02:00:5e:10:00:0g"]),
    "session.timezone": (
        ["Asia/Kolkata", "UTC", "America/New_York"],
        ["", "Mars/Olympus", "Asia", "../UTC", "/etc/localtime", "right/UTC", "posix/UTC", "localtime", "x" * 5000],
    ),
    "instrument.symbol": (
        ["NIFTY", "NIFTY 50", "M&M", "BAJAJ-AUTO", "NIFTY07OCT2524900CE", "a" * 64],
        ["", " X", "a/b"],
    ),
    "instrument.exchange": (["NFO", "BFO", "NSE_EQ"], ["", "nfo", "N" * 17]),
    "logs.export_url": WEB_ADDRESS,
    "results.directory": (["runs", "out/a b", "द्व", "x" * 1000], ["", "a\nb", "a\0b", "\udcff", "x" * 1001]),
    "monitor.expect_by": CLOCK,
    "alerts.quiet_from": CLOCK,
    "alerts.quiet_to": CLOCK,
    "dashboard.host": (["127.0.0.1", "::1", "0.0.0.0"], ["", "host"]),  # noqa: S104  (a value)
    "dashboard.password_hash": HASH,
    "dashboard.viewer_password_hash": HASH,
    "dashboard.tls_certificate": FILE,
    "dashboard.tls_key": FILE,
}
NAMES = {"alerts.info", "alerts.warning", "alerts.critical", "alerts.off"}
HOSTS = "dashboard.names"
LISTS = {"risk.tp_points", "risk.tp_percents", "monitor.day_loss_percents", "monitor.expect", HOSTS, *NAMES}
FLAGS = {
    f"{section}.{key}"
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
    if field.annotation is bool
}
COMPANIONS: Mapping[str, Any] = {}


def load(key: str, value: object, companions: Mapping[str, Any] = COMPANIONS) -> Any:
    section, name = key.split(".")
    loaded = load_config(values={section: {**companions, name: value}})
    return getattr(getattr(loaded.config, section), name)


def refusal(key: str, value: object, companions: Mapping[str, Any] = COMPANIONS) -> str:
    with pytest.raises(ConfigError) as caught:
        load(key, value, companions)
    line = str(caught.value)
    assert "\n" not in line
    assert f"{key} = " in line
    assert "(argument)" in line
    return line


def test_every_key_stands_in_one_of_these_tables() -> None:
    keys = {f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields}
    assert NUMBERS.keys() | CHOICES.keys() | TEXTS.keys() | LISTS | FLAGS == keys


@pytest.mark.parametrize("key", NUMBERS)
def test_numbers_keep_their_bounds(key: str) -> None:
    good, bad, *companions = NUMBERS[key]
    for value in good:
        assert load(key, value, *companions) == value
    for value in bad:
        line = refusal(key, value, *companions)
        assert f"{key} = {value} (argument)" in line
        assert any(mark in line for mark in ("must be a number", "must be a whole number", "must be below"))


@pytest.mark.parametrize("key", NUMBERS)
def test_numbers_are_of_their_own_type(key: str) -> None:
    section, name = key.split(".")
    kind, _ = peel(SECTIONS[section].model_fields[name])
    good, _, *companions = NUMBERS[key]
    assert type(load(key, good[0], *companions)) is kind
    for value in (
        True,
        False,
        "5",
        None,
        [5],
        {"a": 5},
        float("nan"),
        float("inf"),
        Decimal("-Infinity"),
        Decimal("sNaN"),
        10**5000,
    ):
        assert "must be a" in refusal(key, value)
    if kind is int:
        refusal(key, 15.0)
        refusal(key, Decimal(15))
    else:
        assert load(key, float(good[-1]), *companions) == good[-1]


@pytest.mark.parametrize("key", CHOICES)
def test_choices(key: str) -> None:
    for choice in CHOICES[key]:
        assert load(key, choice) == choice
    for other in ("", "POINTS", "other", 1, True, None, ["ltp"]):
        line = refusal(key, other)
        assert all(f'"{choice}"' in line for choice in CHOICES[key])


@pytest.mark.parametrize("key", TEXTS)
def test_texts(key: str) -> None:
    good, bad = TEXTS[key]
    for value in good:
        assert load(key, value) == value
    for other in (*bad, 5, True, None, Path("runs")):
        assert ": must be a" in refusal(key, other)


@pytest.mark.parametrize("key", sorted(FLAGS))
def test_flags(key: str) -> None:
    assert load(key, True) is True
    assert load(key, False) is False
    for other in (0, 1, "true", None, 1.0):
        assert refusal(key, other).endswith("must be true or false")


@pytest.mark.parametrize("key", sorted(NAMES | {"monitor.expect"}))
def test_lists_of_names(key: str) -> None:
    assert load(key, ["mail", "chat_2"]) == ("mail", "chat_2")
    assert load(key, []) == ()
    for other in (["a b"], ["x" * 101], [5], ["mail"] * 33, "mail", 7):
        refusal(key, other)


def test_names_of_hosts() -> None:
    assert load(HOSTS, ["desk", "desk.example.com"]) == ("desk", "desk.example.com")
    for other in (["a b"], ["desk:9465"], ["-desk"], [""], ["x" * 254], ["desk"] * 33, "desk"):
        refusal(HOSTS, other)


def test_shares_of_the_days_loss() -> None:
    assert load("monitor.day_loss_percents", [Decimal("0.5"), 100]) == (Decimal("0.5"), 100)
    for other in ([0], [101], [1] * 9, 50, ["50"]):
        refusal("monitor.day_loss_percents", other)


def test_take_profit_tiers() -> None:
    tiers = load_config(values={"risk": {"tp_points": [Decimal("0.01")], "tp_percents": [1]}}).config.risk
    assert (tiers.tp_points, tiers.tp_percents) == ((Decimal("0.01"),), (Decimal(1),))
    eight = {"tp_points": list(range(1, 9)), "tp_percents": [0.125] * 8}
    assert len(load_config(values={"risk": eight}).config.risk.tp_points) == 8


@pytest.mark.parametrize(
    ("points", "shares", "said"),
    [
        ([5, 5], [0.5, 0.5], "each tier must be above the one before it"),
        ([5, 4], [0.5, 0.5], "each tier must be above the one before it"),
        ([5, 6], [0.5, 0.4], "risk.tp_percents = [0.5, 0.4] (argument): the shares must sum to exactly 1, not 0.9"),
        ([5, 6], [0.5, 0.500001], "must sum to exactly 1, not 1.000001"),
        ([5, 6, 7], [0.5, 0.5], "risk.tp_percents = [0.5, 0.5] (argument): give as many shares as points"),
        ([5, 6, 7], [0.5, 0.5], "risk.tp_points = [5, 6, 7] (argument)"),
        ([0, 6], [0.5, 0.5], "a list of 1 to 8 items, each a number above 0"),
        ([5, 6], [0, 1], "a list of 1 to 8 items, each a number above 0"),
        ([5, 6], [-0.5, 1.5], "a list of 1 to 8 items, each a number above 0"),
        ([5, 6.001], [0.5, 0.5], "with at most 2 decimals"),
        ([5, "6"], [0.5, 0.5], "a list of 1 to 8 items"),
        ([5, True], [0.5, 0.5], "a list of 1 to 8 items"),
        (5, [1], "a list of 1 to 8 items"),
        ([], [1], "a list of 1 to 8 items"),
        (list(range(1, 10)), [1], "a list of 1 to 8 items"),
        pytest.param(list(range(1, 2000)), [1], "a list of 1 to 8 items", id="long list"),
    ],
)
def test_take_profit_contradictions(points: object, shares: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(values={"risk": {"tp_points": points, "tp_percents": shares}})
    assert "\n" not in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (
            "strategy",
            {"fast_ema": 42},
            "strategy.fast_ema = 42 (argument), strategy.slow_ema = 42 (default): fast_ema must",
        ),
        (
            "strategy",
            {"slow_ema": 18},
            "strategy.fast_ema = 18 (default), strategy.slow_ema = 18 (argument): fast_ema must",
        ),
        ("strategy", {"macd_fast": 30}, "macd_fast must be below macd_slow"),
        ("strategy", {"rsi_oversold": 70}, "rsi_oversold must be below rsi_overbought"),
        ("strategy", {"rsi_overbought": 30}, "rsi_oversold must be below rsi_overbought"),
        ("execution", {"latency_ms": 4880}, "execution.order_timeout_s = 5.0 (default), execution.latency_ms = 4880"),
        ("execution", {"order_timeout_s": Decimal("0.15")}, "no order would be answered before it times out"),
        ("session", {"end_hour": 9, "end_min": 15}, "the session must end after it starts"),
        (
            "session",
            {"end_hour": 8},
            "session.start_hour = 9 (default), session.start_min = 15 (default), session.end_hour",
        ),
    ],
)
def test_contradictions_name_each_key_its_value_and_origin(section: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(values={section: values})
    assert "\n" not in str(caught.value)
    assert said in str(caught.value)


def test_a_key_refused_alone_hides_no_contradiction_and_makes_none() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(values={"strategy": {"fast_ema": 0, "macd_fast": 26}, "session": {"start_hour": 24, "end_hour": 1}})
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["strategy.fast_ema", "strategy.macd_fast", "session.start_hour"]


def test_models_are_strict_frozen_and_closed() -> None:
    config = load_config().config
    with pytest.raises(ValidationError):
        config.risk.max_rejects = 5  # type: ignore[misc]  # the point of it
    with pytest.raises(ValidationError):
        config.risk = config.risk  # type: ignore[misc]  # the point of it
    values = config.capital.model_dump()
    for wrong in ({**values, "more": 1}, {"initial_capital": "1"}, {}):
        with pytest.raises(ValidationError):
            SECTIONS["capital"].model_validate(wrong)


def test_no_model_holds_a_default_and_the_file_holds_them_all() -> None:
    table = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    assert list(table) == list(SECTIONS) == list(Config.model_fields)
    for section, model in SECTIONS.items():
        assert list(table[section]) == list(model.model_fields)
        assert all(field.is_required() for field in model.model_fields.values())


def test_every_default_has_a_comment() -> None:
    settings = [line for line in DEFAULTS.read_text(encoding="utf-8").splitlines() if " = " in line.split("#")[0]]
    assert len(settings) == sum(len(model.model_fields) for model in SECTIONS.values())
    assert [line for line in settings if "  # " not in line] == []


def test_choices_in_the_comments_are_those_of_the_models() -> None:
    lines = {line.split(" = ")[0]: line for line in DEFAULTS.read_text(encoding="utf-8").splitlines() if " = " in line}
    for key, choices in CHOICES.items():
        section, name = key.split(".")
        assert set(choices) == set(get_args(SECTIONS[section].model_fields[name].annotation))
        assert all(choice in lines[name] for choice in choices)
