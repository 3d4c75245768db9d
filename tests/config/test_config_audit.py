"""The trail of configurations used."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from myquant.config.audit import ConfigAudit, Use
from myquant.config.loading import load_config
from myquant.config.trading import trading_hash
from myquant.errors import DataError

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
USE = Use("asha@desk", "a command", "monday", "e" * 64, ("no rehearsal: the lab was away",))


def test_a_line_says_who_used_what_and_what_changed(tmp_path: Path) -> None:
    audit = ConfigAudit(tmp_path)
    first, second = load_config(), load_config(assignments=["risk.base_sl_points=20"])
    audit.record(USE, first, NOW)
    line = audit.record(USE, second, NOW.astimezone(UTC))
    assert line["time"] == "2026-11-23T03:30:00Z"
    assert (line["who"], line["command"], line["session"]) == ("asha@desk", "a command", "monday")
    assert (line["config_hash"], line["trading_hash"]) == (second.hash, trading_hash(second))
    assert line["overrides"] == ["no rehearsal: the lab was away"]
    assert line["changed"] == ["risk.base_sl_points = 15.0 -> 20.0"]
    read = audit.read()
    assert [entry["changed"] for entry in read.entries] == [[], line["changed"]]
    assert read.problems == []
    assert audit.path == tmp_path / "config_audit.jsonl"


def test_an_address_on_this_machine_is_as_good_as_another(tmp_path: Path) -> None:
    audit = ConfigAudit(tmp_path)
    at = "angelone.rest_url=http://127.0.0.1:{}", "angelone.stream_url=ws://localhost:{}/smart-stream"
    labs = [load_config(assignments=[each.format(port) for each in at]) for port in (41001, 41002)]
    audit.record(USE, load_config(), NOW)
    changed = [audit.record(USE, each, NOW)["changed"] for each in (*labs, load_config())]
    assert changed[1] == []
    lab = "(an address on this machine)"
    assert changed[0][0] == f'angelone.rest_url = "https://apiconnect.angelone.in" -> {lab}'
    assert changed[2][0] == f'angelone.rest_url = {lab} -> "https://apiconnect.angelone.in"'
    assert [len(each) for each in changed] == [2, 0, 2]
    values = [entry["values"]["angelone.rest_url"] for entry in audit.read().entries]
    assert values[1:3] == ['"http://127.0.0.1:41001"', '"http://127.0.0.1:41002"']
    elsewhere = load_config(assignments=["angelone.rest_url=https://127.0.0.1.example.in"])
    assert "example.in" in audit.record(USE, elsewhere, NOW)["changed"][0]


def test_the_values_are_there_whole(tmp_path: Path) -> None:
    line = ConfigAudit(tmp_path).record(USE, load_config(), NOW)
    assert len(line["values"]) == len(load_config().values)
    assert line["values"]["risk.base_sl_points"] == "15.0"


def test_a_trail_that_was_changed_is_refused(tmp_path: Path) -> None:
    audit = ConfigAudit(tmp_path)
    for _ in range(2):
        audit.record(USE, load_config(), NOW)
    audit.path.write_text(audit.path.read_text().replace("asha", "egon", 1))
    assert audit.read().problems == [f"{audit.path}, line 2: does not follow from the line before it"]
    with pytest.raises(DataError, match="line 2"):
        audit.record(USE, load_config(), NOW)
