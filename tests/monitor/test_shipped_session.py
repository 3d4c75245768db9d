"""A session at work, the monitor, and Prometheus with the shipped files: the series are there, and a death is an alert."""

import re
import socket
from http.client import HTTPConnection
from pathlib import Path

from monitor.at_work import lab, needs, paper, plain, running, words_of
from monitor.exposition import metric_labels
from monitor.prometheus import faster, prometheus, until
from monitor.shipped import TOKEN, written

NAME = "watched"

# Of a session on paper that does well these have no sample: there is nothing that they could say.
ONLY_SOMETIMES = {
    "myquant_alert_deliveries_total": "no channel is configured",
    "myquant_alert_spool": "likewise",
    "myquant_alerts_firing": "no alert is raised",
    "myquant_channel_up": "no channel is configured",
    "myquant_clock_offset_seconds": "the lab plays a day of the past",
    "myquant_entries_denied_total": "no rule refuses an entry",
    "myquant_feed_delay_seconds": "the lab plays a day of the past",
    "myquant_fill_slippage_rupees": "nothing was traded yet",
    "myquant_findings": "nothing is found",
    "myquant_halted": "nothing halts entries",
    "myquant_latency_drift_ratio": "it is not slower",
    "myquant_limit_used_ratio": "no limit is set",
    "myquant_log_lines_total": "depends on when it is looked at",
    "myquant_order_channel_up": "its orders go to no broker",
    "myquant_order_round_trip_seconds": "nothing was ordered yet",
    "myquant_orders_total": "likewise",
    "myquant_order_send_seconds": "likewise",
    "myquant_order_ack_seconds": "likewise",
    "myquant_order_fill_seconds": "likewise",
    "myquant_slippage_decision_rupees": "nothing was traded yet",
    "myquant_slippage_quote_rupees": "likewise",
    "myquant_slippage_shadow_rupees": "there is no broker's exchange beside which one could run",
    "myquant_position_unprotected_seconds": "no stop order is wanted",
    "myquant_queue_capacity": "there is no hand-off",
    "myquant_queue_depth": "likewise",
    "myquant_ticks_rejected_total": "all ticks are used",
    "myquant_packets_unused_total": "all packets are",
    "myquant_pages_ends_total": "it serves no pages",
    "myquant_commands_total": "nothing was decided yet",
}


def scrape(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_the_death_of_a_session_is_an_alert_of_prometheus(tmp_path: Path) -> None:
    """And every series that a rule or a panel names is in a scrape of the session, but for those that say why not."""
    needs("monitor")
    port = free_port()
    configuration = written(tmp_path / "files", port=port) / "prometheus.yml"
    configuration.write_text(faster(configuration.read_text()))
    watching = {**plain(), "MYQUANT_MONITOR_TOKEN": TOKEN, "MYQUANT_STATE": str(tmp_path / "state")}
    monitor = words_of("monitor", "--directory", "runs", "--set", f"monitor.port={port}")
    (tmp_path / "runs").mkdir()
    with (
        lab(tmp_path) as at_lab,
        running(monitor, tmp_path, watching),
        running(words_of(*paper(NAME)), tmp_path, at_lab) as session,
        prometheus(configuration) as asked,
    ):
        until(lambda: asked.query("session:myquant_ticks:rate_1m > 0"), "ticks of the session", 120)
        until(lambda: asked.query("myquant_day_pnl_rupees"), "the first note of its ledger")
        assert not {"MyquantEngineDown", "MyquantMonitorDown"} & set(asked.firing())
        text = scrape(port)
        sampled = {
            re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"^(myquant_\w+)", text, re.MULTILINE)
        }
        assert set(metric_labels()) - sampled - set(ONLY_SOMETIMES) == set()
        declared = {name for name in metric_labels() if f"# TYPE {name} " in text}
        assert declared == set(metric_labels())

        session.kill()
        dead = until(lambda: asked.firing().get("MyquantEngineDown"), "the alert of its death")
        assert (dead["session"], dead["severity"]) == (NAME, "critical")
        assert {rule["health"] for rule in asked.rules()} == {"ok"}
