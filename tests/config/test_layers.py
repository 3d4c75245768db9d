"""Each layer alone: what a file, the environment and an assignment say, and the line that names what is broken."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from myquant.config.layers import (
    FILE_BYTES_MAX,
    Models,
    Setting,
    from_assignments,
    from_environment,
    from_file,
    from_mapping,
    plain,
    read_toml,
)
from myquant.config.schema import SECTIONS
from myquant.errors import ConfigError


class Mixed(BaseModel):
    Window: int
    low_band: float


MODELS: Models = {**SECTIONS, "Mixed": Mixed}


def test_a_file_gives_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(b"\xef\xbb\xbftop = 1\r\n[risk]\r\nbase_sl_points = 15.10\r\n[empty]\r\n")
    assert list(from_file(path)) == [
        Setting(None, "top", 1, str(path)),
        Setting("risk", "base_sl_points", Decimal("15.10"), str(path)),
        Setting("empty", None, None, str(path)),
    ]
    assert str(next(iter(from_mapping(read_toml(path)["risk"], "x"))).value) == "15.10"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[risk]\nx =\n", 2, "Invalid value"),
        ("[risk]\nx = 1\ny = [1,\n2\n\n\n", 4, "Unclosed array"),
        ("a = 1\nb = '''\n", 2, ""),
        ("a = 1\na = 2", 2, "Cannot overwrite a value"),
        ("a = 1\n[b]\n[b]\nc = 3", 3, "twice"),
        ("a = 1\nb = 1\x00\nc = 1", 2, ""),
        pytest.param(f"a = 1\n\nb = {'9' * 5000}\nc = 1\nd = 2\n", 3, "too many digits", id="long int"),
        ("a = 1\nb = 2\nc = 3\nd = 1e99999999999999999999999\ne = 1\n", 4, "too many digits"),
        pytest.param(f"a = 1\nb = {'[' * 5000}\nc = 1\n", 2, "nested too deeply", id="deep list"),
        ("just words\n", 1, "Expected '='"),
    ],
)
def test_broken_toml_is_named_with_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"broken.toml, line {line}: not valid TOML: .*{said}") as caught:
        read_toml(path)
    assert str(caught.value).isprintable()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[risk]\nx = 1\n\xff\xfe\x00")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    for path, said in (
        (tmp_path / "none.toml", "none.toml: no such config file"),
        (tmp_path, "the config file cannot be read: "),
        (tmp_path / "a\0b", "the config file cannot be read: "),
        (binary, "binary.toml, line 3: not UTF-8 text"),
        (large, "large.toml: larger than 1 MiB"),
    ):
        with pytest.raises(ConfigError, match=said) as caught:
            read_toml(path)
        assert str(caught.value).isprintable()
    large.write_bytes(b"#" * FILE_BYTES_MAX)
    assert read_toml(large) == {}


def test_variables_of_a_section_and_key_are_ours_and_no_others() -> None:
    environment = {
        "MYQUANT_RISK__STOP_LOSS_MODE": "atr",
        "MYQUANT_MIXED__WINDOW": "5",
        "MYQUANT_MIXED__LOW_BAND": "0.5",
        "MYQUANT_DATA_QUALITY__STRICT": "true",
        "MYQUANT_CACHE": "x",
        "MYQUANT_NO__SUCH": "1",
        "RISK__MAX_REJECTS": "1",
    }
    assert list(from_environment(environment, MODELS)) == [
        Setting("data_quality", "strict", True, "MYQUANT_DATA_QUALITY__STRICT"),
        Setting("Mixed", "low_band", Decimal("0.5"), "MYQUANT_MIXED__LOW_BAND"),
        Setting("Mixed", "Window", 5, "MYQUANT_MIXED__WINDOW"),
        Setting("no", "such", 1, "MYQUANT_NO__SUCH"),
        Setting("risk", "stop_loss_mode", "atr", "MYQUANT_RISK__STOP_LOSS_MODE"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("20.50", Decimal("20.50")),
        (" 20 ", 20),
        ("true", True),
        ("[1, 2.5]", [1, Decimal("2.5")]),
        ('"20"', "20"),
        ("'a b'", "a b"),
        ("atr", "atr"),
        (" atr ", "atr"),
        ("", ""),
        ("2025-10-03", date(2025, 10, 3)),
        ("a=b", "a=b"),
        ("1\nother = 2", "1\nother = 2"),
        pytest.param("[" * 3000, "[" * 3000, id="deep list"),
        pytest.param("9" * 5000, "9" * 5000, id="long int"),
        ("1e99999999999999999999999", "1e99999999999999999999999"),
    ],
)
def test_an_assigned_value_is_toml_else_text(text: str, value: object) -> None:
    assert list(from_assignments([f"risk.some_key={text}"], MODELS)) == [Setting("risk", "some_key", value, "--set")]
    assert next(from_environment({"MYQUANT_RISK__SOME_KEY": text}, MODELS)).value == value


@pytest.mark.parametrize("text", ["2025-10-03", "2025", "true", "1.50", "[a]", "runs"])
def test_where_only_text_can_be_meant_it_stays_text(text: str) -> None:
    for quoted in (text, f'"{text}"'):
        assert next(from_assignments([f"results.directory={quoted}"], MODELS)).value == text


@pytest.mark.parametrize("assignment", ["", "=", "risk", "risk=1", "risk.=1", ".x=1", "risk.x", "=risk.x"])
def test_an_assignment_that_names_nothing_is_kept_to_be_refused(assignment: str) -> None:
    assert list(from_assignments([assignment], MODELS)) == [Setting(None, None, assignment, "--set")]


def test_plain_keeps_to_one_line() -> None:
    assert plain("a b") == "a b"
    assert plain("a\nb") == r"'a\nb'"
    assert len(plain("a" * 10**6)) <= 4096
