"""The shipped files: filled in, whole, and naming nothing that there is not."""

import json
import re
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from monitor.exposition import metric_labels
from monitor.shipped import (
    MATCHERS,
    METRIC,
    SUFFIX,
    TOKEN,
    alert_rules,
    expressions,
    installation,
    metrics_of,
    panels,
    rules,
    settings,
    texts,
)
from monitor.test_metrics import full_view, scraped_of
from myquant.config.loading import load_config
from myquant.errors import ConfigError
from myquant.monitor.metrics_table import MONITOR_METRICS
from myquant.monitor.shipped import FILES, FOLDER, SECRET_FILES, monitor_options, render, token_of, write

ROOT = Path(__file__).resolve().parents[2]
BY_KIND: Final = "critical; warning on paper"  # where fills are simulated no money is at stake

MONITORS = {metric.name for metric in MONITOR_METRICS}  # of no session

# Rules of the monitor, and the alert that says the same by what is measured.
MEASURED = {
    "engine_dead": "MyquantEngineDown",
    "engine_frozen": "MyquantHeartbeatLate",
    "position_bare": "MyquantPositionUnprotected",
    "order_unknown": "MyquantOrdersUnknown",
    "books_differ": "MyquantBooksDiffer",
    "order_channel_down": "MyquantOrderChannelDown",
    "rejects_in_a_row": "MyquantOrderRejects",
    "day_loss": "MyquantDayLoss50",
    "halted": "MyquantHalted",
    "feed_stale": "MyquantFeedStale",
    "feed_age": "MyquantFeedSilent",
    "clock_offset": "MyquantClockOff",
    "queue_full": "MyquantQueueFull",
    "ticks_dropped": "MyquantDropped",
    "latency_drift": "MyquantLatencyDrift",
    "disk_low": "MyquantDiskLow",
    "journal_lag": "MyquantJournalLag",
    "channel_down": "MyquantAlertChannelDown",
}


def test_every_file_is_shipped_and_filled_in(tmp_path: Path) -> None:
    found = texts(tmp_path)
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*FILES, *SECRET_FILES, "common.unit"])
    assert sorted(found) == sorted([*FILES, *SECRET_FILES])
    assert [name for name, text in found.items() if re.search(r"@[a-z]\w*@", text)] == []
    assert [name for name in found if TOKEN in found[name]] == ["myquant_token", "monitor-secrets.env"]


@pytest.mark.parametrize(
    ("changes", "name", "line"),
    [
        ({"port": 9999}, "prometheus.yml", '- targets: ["127.0.0.1:9999"]'),
        ({"host": "::1"}, "prometheus.yml", '- targets: ["[::1]:9464"]'),
        ({"silence_s": "7.50"}, "myquant_rules.yml", "myquant_session_heartbeat_age_seconds > 7.5 and"),
        ({"disk_free_mib": 2000}, "myquant_rules.yml", "myquant_disk_free_bytes < 2000 * 2 ^ 20"),
        ({"disk_free_mib": 2000}, "myquant_rules_test.yml", f'"{2000 * 2**20}x20"'),
        ({"rejects": 10}, "myquant_rules.yml", ">= 10\n"),
        ({"unknown_s": "0.2"}, "myquant_rules.yml", "for: 0s"),
    ],
)
def test_settings_are_filled_in(tmp_path: Path, changes: dict[str, str | int], name: str, line: str) -> None:
    assert line in texts(tmp_path, **changes)[name]
    assert line not in texts(tmp_path)[name]


def test_every_threshold_of_the_rules_is_that_of_a_setting(tmp_path: Path) -> None:
    """Both are changed: a rule with a number of its own would not follow."""
    names = ("silence_s", "feed_age_s", "bare_s", "unknown_s", "rejects", "queue_percent", "clock_offset_s")
    for name in (*names, "feed_stale_s", "order_channel_s", "journal_lag_s", "disk_free_mib"):
        assert texts(tmp_path, **{name: 77})["myquant_rules.yml"] != texts(tmp_path)["myquant_rules.yml"], name


def test_the_days_loss_is_told_where_the_defaults_say(tmp_path: Path) -> None:
    text = texts(tmp_path)["myquant_rules.yml"]
    shares = [float(share) for share in re.findall(r'day_loss"} >= ([\d.]+)', text)]
    assert [100 * share for share in shares] == [float(each) for each in settings().day_loss_percents]


def test_every_alert_says_what_and_what_to_do(tmp_path: Path) -> None:
    found = list(alert_rules(texts(tmp_path)["myquant_rules.yml"]))
    assert len(found) >= 24
    for rule in found:
        assert rule["alert"].startswith("Myquant")
        assert set(rule["annotations"]) == {"summary", "description", "action"}
        assert severity_of(rule) in {"critical", "warning", BY_KIND} or "severity" in rule["expr"]
        assert re.fullmatch(r"([0-2]?\d|30)s", rule.get("for", "0s")), rule["alert"]
    assert len({rule["alert"] for rule in found}) == len(found)


def test_an_alert_names_headings_of_the_runbook_that_exist(tmp_path: Path) -> None:
    headings = set(re.findall(r"^#+ (.+)$", (ROOT / "RUNBOOK.md").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"RUNBOOK\.md, ([A-Z][a-z]*(?: [a-z]+)*)", texts(tmp_path)["myquant_rules.yml"]))
    assert len(named) >= 4
    assert named <= headings


def test_the_page_has_every_alert_with_its_severity_and_no_other(tmp_path: Path) -> None:
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(Myquant\w+)` \| ([a-z ;]+) \|", page, re.MULTILINE))
    found = alert_rules(texts(tmp_path)["myquant_rules.yml"])
    assert shown == {rule["alert"]: severity_of(rule) for rule in found}


def severity_of(rule: dict[str, Any]) -> str:
    """Return how the page tells the severity of an alert."""
    severity = str(rule["labels"].get("severity", "as found"))
    return BY_KIND if severity == '{{ if eq $labels.kind "paper" }}warning{{ else }}critical{{ end }}' else severity


def test_every_alert_has_a_test_that_raises_it_and_one_that_does_not(tmp_path: Path) -> None:
    found = texts(tmp_path)
    tests = yaml.safe_load(found["myquant_rules_test.yml"])["tests"]
    said = [each for test in tests for each in test.get("alert_rule_test", ())]
    names = {rule["alert"] for rule in alert_rules(found["myquant_rules.yml"])}
    assert {each["alertname"] for each in said if each["exp_alerts"]} == names
    assert {each["alertname"] for each in said if not each["exp_alerts"]} == names
    recorded = {rule["record"] for rule in rules(found["myquant_rules.yml"]) if "record" in rule}
    assert {each["expr"] for test in tests for each in test.get("promql_expr_test", ())} == recorded


def test_every_series_of_a_rule_or_a_panel_is_a_metric_of_the_monitor(tmp_path: Path) -> None:
    found = texts(tmp_path)
    named = [rule["expr"] for rule in rules(found["myquant_rules.yml"])]
    named += expressions(found["grafana_dashboard.json"])
    recorded = {rule["record"] for rule in rules(found["myquant_rules.yml"]) if "record" in rule}
    assert {metric for each in named for metric in metrics_of(each)} == set(metric_labels())
    assert {name for each in named for name in re.findall(r"\w+:myquant_\w+:\w+", each)} == recorded


def test_every_series_is_one_that_the_monitor_exposes(tmp_path: Path) -> None:
    """By the text that is scraped: a histogram that begins below 0, say, has neither `_sum` nor `_count`."""
    scraped = set(re.findall(r"^(myquant_\w+)", scraped_of(full_view(tmp_path / "s")), re.MULTILINE))
    found = texts(tmp_path)
    named = [rule["expr"] for rule in rules(found["myquant_rules.yml"])] + expressions(found["grafana_dashboard.json"])
    series = {name for each in named for name in METRIC.findall(MATCHERS.sub("", each))}
    assert len(series) > 60
    assert {name for name in series - scraped if SUFFIX.sub("", name) not in MONITORS} == set()


def test_what_the_tests_take_for_metrics_is_what_the_monitor_has() -> None:
    table = pytest.importorskip("myquant.monitor.metrics_table", reason="this version has no metrics yet")
    assert {name: set(labels) for name, labels in metric_labels().items()} == {
        name: set(metric.labels) for name, metric in table.METRICS.items()
    }


def test_every_rule_of_the_monitor_has_its_alert(tmp_path: Path) -> None:
    """Of its own, by what is measured, or as a finding of the monitor."""
    own = pytest.importorskip("myquant.monitor.rules", reason="this version has no rules yet").RULES
    alerts = {rule["alert"]: rule["expr"] for rule in alert_rules(texts(tmp_path)["myquant_rules.yml"])}
    (found,) = re.findall(r'rule=~"([\w|]+)"', alerts["MyquantFinding"])
    assert set(own) - set(found.split("|")) == set(MEASURED)
    assert set(MEASURED.values()) <= set(alerts)


def test_the_dashboard_is_whole(tmp_path: Path) -> None:
    text = texts(tmp_path)["grafana_dashboard.json"]
    dashboard, found = json.loads(text), panels(text)
    assert dashboard["schemaVersion"] >= 38
    assert [each["name"] for each in dashboard["templating"]["list"]] == ["datasource", "session"]
    titles = ["Overview", "Latency by stage", "Feed", "Orders and slippage", "Journal and disk", "Process", "Alerts"]
    assert [panel["title"] for panel in found if panel["type"] == "row"] == titles
    assert len({panel["id"] for panel in found}) == len(found) > 60
    for panel in found:
        if panel["type"] == "row":
            continue
        assert panel["datasource"]["uid"] == "${datasource}"
        assert [target["datasource"]["uid"] for target in panel["targets"]] == ["${datasource}"] * len(panel["targets"])
        assert panel["title"]
        unit = panel["fieldConfig"]["defaults"].get("unit") or panel["options"].get("yAxis", {}).get("unit")
        assert unit or panel["type"] == "table", panel["title"]


def test_no_panel_of_the_dashboard_lies_over_another(tmp_path: Path) -> None:
    places = [panel["gridPos"] for panel in panels(texts(tmp_path)["grafana_dashboard.json"])]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23
    assert all(first["y"] <= second["y"] for first, second in pairwise(places))


def test_files_are_written_and_never_over_others(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    found = texts(tmp_path)
    assert [path.name for path in write(found, folder, force=False)] == list(found)
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in found}
    assert {name for name, mode in modes.items() if mode == 0o600} == set(SECRET_FILES)
    (folder / "prometheus.yml").write_text("mine")
    (folder / "myquant_rules.yml").unlink()
    with pytest.raises(ConfigError, match=r"new: has prometheus\.yml, .* already: give --force"):
        write(found, folder, force=False)
    assert (folder / "prometheus.yml").read_text() == "mine"
    assert not (folder / "myquant_rules.yml").exists()
    write(found, folder, force=True)
    assert (folder / "prometheus.yml").read_text() == found["prometheus.yml"]


def test_a_secret_file_that_others_could_read_is_replaced_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "myquant_token"
    path.write_text("")
    path.chmod(0o644)
    with path.open() as reader:
        write(texts(tmp_path), tmp_path, force=True)
        assert reader.read() == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_token_stays_and_is_never_the_same_elsewhere(tmp_path: Path) -> None:
    first, other = token_of(tmp_path), token_of(tmp_path)
    assert len({first, other}) == 2
    assert min(len(first), len(other)) >= 40
    write({"myquant_token": first}, tmp_path, force=False)
    assert token_of(tmp_path) == first
    (tmp_path / "myquant_token").write_text("short")
    assert token_of(tmp_path) != "short"


@pytest.mark.parametrize("name", ['a"b', "a\nUser=root", "a$HOME", "a\\b"])
def test_a_path_that_a_unit_can_not_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a systemd unit can't name it"):
        render(settings(), installation(tmp_path)._replace(runs=tmp_path / name), TOKEN)


def test_the_monitor_of_a_unit_has_the_settings_that_were_given(tmp_path: Path) -> None:
    mine = tmp_path / "mine 100%.toml"
    mine.write_text("[monitor]\nport = 9000\n")
    given = ["monitor.look_s=0.5"]
    environment = {"MYQUANT_MONITOR__EXPECT": '["nifty-*"]', "MYQUANT_RISK__BASE_SL_POINTS": "20"}
    loaded = load_config(files=[mine], environment=environment, assignments=given)
    options = monitor_options(loaded, [mine], given)
    assert options == ('monitor.expect=["nifty-*"]', "monitor.look_s=0.5")
    here = installation(tmp_path)._replace(config_files=(mine,), assignments=options)
    unit = render(loaded.config.monitor, here, TOKEN)["myquant-monitor.service"]
    (line,) = re.findall(r"^ExecStart=.*$", unit, re.MULTILINE)
    assert f'--config "{tmp_path}/mine 100%%.toml"' in line
    assert '--set "monitor.expect=[\\"nifty-*\\"]" --set "monitor.look_s=0.5"' in line
