"""Loading: the order of the layers, origins, the hash, the round trip, a user's section, differences."""

import pickle
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from myquant.config.loading import PROBLEMS_MAX, LoadedConfig, diff, load_config
from myquant.config.problems import OWN_SECTION
from myquant.config.schema import SECTIONS
from myquant.errors import ConfigError


class Breakout(BaseModel):
    window: int = Field(20, ge=2, le=200)
    width: float = Field(1.5, gt=0)
    gap: Decimal = Decimal("0.05")
    on: bool = True
    side: str = "long"
    levels: tuple[float, ...] = (1, 2.5)
    extra: list[int] = Field(default_factory=lambda: [1, 2])


def refused(**layers: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(**layers)
    lines = str(caught.value).splitlines()
    assert all(line.isprintable() for line in lines)
    return lines


def test_a_later_layer_overrides_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[risk]\nbase_sl_points = 1.0\n", encoding="utf-8")
    layers: dict[str, Any] = {}
    seen = []
    for more in (
        {},
        {"files": [path]},
        {"values": {"risk": {"base_sl_points": 2}}},
        {"environment": {"MYQUANT_RISK__BASE_SL_POINTS": "3"}},
        {"assignments": ["risk.base_sl_points=4.5"]},
        {"assignments": ["risk.base_sl_points=4.5", "risk.base_sl_points=5.5"]},
    ):
        layers |= more
        loaded = load_config(**layers)
        seen.append((loaded.config.risk.base_sl_points, loaded.origins["risk.base_sl_points"]))
    assert seen == [
        (Decimal(15), "default"),
        (Decimal(1), str(path)),
        (Decimal(2), "argument"),
        (Decimal(3), "MYQUANT_RISK__BASE_SL_POINTS"),
        (Decimal("4.5"), "--set"),
        (Decimal("5.5"), "--set"),
    ]


def test_layers_are_merged_key_by_key() -> None:
    loaded = load_config(
        values={"risk": {"max_rejects": 5}}, assignments=["risk.max_day_loss=100", "results.directory=out"]
    )
    risk = loaded.config.risk
    assert (risk.max_rejects, risk.max_day_loss, risk.base_sl_points) == (5, Decimal(100), Decimal(15))
    changed = {name: origin for name, origin in loaded.origins.items() if origin != "default"}
    assert changed == {"risk.max_rejects": "argument", "risk.max_day_loss": "--set", "results.directory": "--set"}


def test_every_value_has_an_origin() -> None:
    loaded = load_config(sections={"breakout": Breakout})
    keys = [f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields]
    keys += [f"breakout.{key}" for key in Breakout.model_fields]
    assert list(loaded.origins) == list(loaded.values) == keys
    assert set(loaded.origins.values()) == {"default"}


def test_the_environment_is_not_read_unless_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYQUANT_RISK__MAX_REJECTS", "9")
    monkeypatch.setenv("MYQUANT_NO__SUCH", "9")
    assert load_config().config.risk.max_rejects == 3


def test_a_variable_that_names_nothing_is_named() -> None:
    environment = {"MYQUANT_RIKS__X": "1", "MYQUANT_RISK__MAX_REJECT": "1", "MYQUANT_HOME": "x", "MYQUANT_RISK": "1"}
    assert refused(environment=environment) == [
        "[riks] (MYQUANT_RIKS__X): unknown section; did you mean [risk]?",
        "risk.max_reject = 1 (MYQUANT_RISK__MAX_REJECT): unknown key; did you mean risk.max_rejects?",
    ]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("xyz = 1\n[riks]\n[risk]\nmax_rejects = 0\n[strategy]\nfast_ema = 42\n", encoding="utf-8")
    lines = refused(
        files=[path],
        values={"capital": 5, "results": {"report": "yes"}},
        environment={"MYQUANT_SESSION__TIMEZONE": "Mars"},
        assignments=["nonsense", "breakout.window=1"],
        sections={"breakout": Breakout},
    )
    assert lines == [
        f"xyz = 1 ({path}): stands outside any section",
        f"[riks] ({path}): unknown section; did you mean [risk]?",
        "capital = 5 (argument): is a section; write [capital] and its keys below",
        '--set "nonsense": must be section.key=value',
        f"strategy.fast_ema = 42 ({path}), strategy.slow_ema = 42 (default): fast_ema must be below slow_ema",
        f"risk.max_rejects = 0 ({path}): must be a whole number from 1 to 1000",
        'session.timezone = "Mars" (MYQUANT_SESSION__TIMEZONE): must be an IANA time zone such as Asia/Kolkata',
        'results.report = "yes" (argument): must be true or false',
        "breakout.window = 1 (--set): must be a whole number from 2 to 200",
    ]


def test_problems_beyond_counting_are_cut() -> None:
    lines = refused(values={f"section_{number}": {"x": 1} for number in range(10_000)})
    assert len(lines) == PROBLEMS_MAX + 1


def test_values_that_are_no_mapping_are_refused() -> None:
    assert refused(values=[1]) == ["config values: must be a mapping of sections, not a list"]
    assert refused(values={5: {"x": 1}}) == [f"[5] (argument): unknown section{OWN_SECTION}"]
    assert refused(values={"risk": {5: 1}}) == ["risk.5 = 1 (argument): unknown key"]


@pytest.mark.parametrize("points", [15, 15.0, Decimal("15.0"), Decimal("15.00"), Decimal("1.5E+1")])
def test_the_hash_is_of_values_not_of_notation_or_origin(points: object) -> None:
    assert load_config(values={"risk": {"base_sl_points": points}}).hash == load_config().hash


@pytest.mark.parametrize("text", ["15", "15.0", "15.00", "1.5e1", "1_5.0"])
def test_the_hash_of_a_file_is_that_of_its_values(tmp_path: Path, text: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(
        f"[strategy]\nslow_ema = 0x2a\n[risk]\nbase_sl_points = {text}\ntp_percents = [0.4, 0.30, 0.2, 0.1]", "utf-8"
    )
    loaded = load_config(files=[path], assignments=[f"risk.base_sl_points={text}"])
    assert loaded.hash == load_config().hash
    assert len(loaded.hash) == 64


def test_each_value_changes_the_hash() -> None:
    assert len({load_config(assignments=[each]).hash for each in CHANGES}) == len(CHANGES)


CHANGES = (
    "risk.base_sl_points=15",
    "risk.base_sl_points=15.01",
    "risk.tp_points=[5, 12, 20, 30.01]",
    "strategy.use_macd=true",
    "strategy.fast_ema=17",
    "results.directory=other",
    "session.source=config",
)


@pytest.mark.parametrize("change", CHANGES)
def test_the_effective_config_loads_back_to_the_same_hash(tmp_path: Path, change: str) -> None:
    loaded = load_config(assignments=[change, 'results.directory="a \\"b\\" \\\\ ₹"'], sections={"breakout": Breakout})
    path = tmp_path / "config.toml"
    path.write_text(loaded.to_toml(), encoding="utf-8")
    again = load_config(files=[path], sections={"breakout": Breakout})
    assert again.hash == loaded.hash
    assert again.to_toml() == loaded.to_toml()
    assert (again.config, again.sections) == (loaded.config, loaded.sections)
    assert set(again.origins.values()) == {str(path)}


def test_a_section_of_the_users_own() -> None:
    loaded = load_config(
        values={"breakout": {"window": 30, "gap": 0.1, "levels": [3]}},
        environment={"MYQUANT_BREAKOUT__SIDE": "short"},
        assignments=["breakout.width=2"],
        sections={"breakout": Breakout},
    )
    settings = loaded.sections["breakout"]
    assert isinstance(settings, Breakout)
    assert settings == Breakout(window=30, width=2.0, gap=Decimal("0.1"), side="short", levels=(3.0,))
    assert loaded.origins["breakout.side"] == "MYQUANT_BREAKOUT__SIDE"
    assert loaded.hash != load_config().hash
    assert "[breakout]\nwindow = 30\nwidth = 2.0\ngap = 0.1\n" in loaded.to_toml()
    assert loaded.config == load_config().config


def test_a_section_without_its_model_is_unknown() -> None:
    assert refused(values={"breakout": {"window": 30}}) == [f"[breakout] (argument): unknown section{OWN_SECTION}"]


def test_a_parameter_without_a_default_must_be_set() -> None:
    class Needy(BaseModel):
        größe: int  # noqa: PLC2401 - a user may name it so, and TOML then wants it quoted

    assert refused(sections={"needy": Needy}) == ["needy.größe is not set: must be a whole number"]
    loaded = load_config(assignments=["needy.größe=5"], sections={"needy": Needy})
    assert '[needy]\n"größe" = 5\n' in loaded.to_toml()
    values = tomllib.loads(loaded.to_toml(), parse_float=Decimal)
    assert load_config(values=values, sections={"needy": Needy}).hash == loaded.hash


def test_a_bad_default_of_the_users_is_refused() -> None:
    class Bad(BaseModel):
        window: int = Field(0, ge=1)
        width: float = float("nan")

    assert refused(sections={"bad": Bad}) == [
        "bad.width = nan (default): must be a number",
        "bad.window = 0 (default): must be a whole number at least 1",
    ]


def test_a_model_that_no_section_can_have_is_refused() -> None:
    class Bad(BaseModel):
        day: date = date(2025, 10, 3)
        count: int | None = None
        other: int = Field(1, alias="another")
        after: int = Field(default_factory=len)

    kinds = "must be a bool, int, float, Decimal, str or Literal, or a tuple or list of one"
    assert refused(sections={"bad": Bad}) == [
        f"bad.day (class Bad): {kinds}",
        f"bad.count (class Bad): {kinds}",
        "bad.other (class Bad): must have no alias and a plain default",
        "bad.after (class Bad): must have no alias and a plain default",
    ]


@pytest.mark.parametrize("name", ["risk", "", "a.b", "a b", "a__b", "_a", "a_", "a\n"])
def test_a_section_needs_a_name_of_its_own(name: str) -> None:
    (line,) = refused(sections={name: Breakout})
    assert line.endswith("not free as the name of a section of Breakout's parameters")


def test_diff() -> None:
    a = load_config(assignments=["risk.max_rejects=5", "risk.base_sl_points=15.00"])
    b = load_config(assignments=["strategy.use_macd=true"], sections={"breakout": Breakout})
    differences = diff(a, b)
    assert differences[:3] == [
        ("strategy.use_macd", False, True),
        ("risk.max_rejects", 5, 3),
        ("breakout.window", None, 20),
    ]
    assert len(differences) == 2 + len(Breakout.model_fields)
    assert diff(a, a) == []


@pytest.mark.parametrize(
    "change", [lambda c: setattr(c, "hash", ""), lambda c: setattr(c.config.risk, "max_rejects", 1)]
)
def test_what_is_loaded_is_frozen(change: Callable[[LoadedConfig], None]) -> None:
    with pytest.raises((AttributeError, ValueError)):
        change(load_config())


def test_a_loaded_config_goes_to_another_process() -> None:
    loaded = load_config(assignments=["risk.max_rejects=5"], sections={"breakout": Breakout})
    again = pickle.loads(pickle.dumps(loaded))  # noqa: S301 - our own bytes
    assert (again.config, again.sections, again.hash) == (loaded.config, loaded.sections, loaded.hash)


def test_the_room_is_light() -> None:
    heavy = "{'numpy', 'numba', 'polars', 'pyarrow', 'pandas', 'plotly', 'jinja2', 'xlsxwriter', 'typer'}"
    for module, more in (("myquant.config.loading", ""), ("myquant.config", " | {'pydantic'}")):
        code = f"import sys, {module}; print(sorted(({heavy}{more}) & sys.modules.keys()))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
