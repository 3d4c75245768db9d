"""The names of all metrics, with their labels and what they mean: what is scraped is made from this, and so is checked the manual."""

from typing import Final, NamedTuple

GAUGE: Final = "gauge"
COUNTER: Final = "counter"
HISTOGRAM: Final = "histogram"


class Metric(NamedTuple):
    """A metric: its name as it is scraped, kind, labels beside none, and what it says, with its unit."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


_S = ("session",)


def _of(labels: str, kind: str, rows: dict[str, str]) -> list[Metric]:
    return [Metric(f"myquant_{name}", kind, (*_S, *labels.split()), text) for name, text in rows.items()]


SESSION_METRICS: Final = (
    *_of("kind strategy config_hash engine_hash", GAUGE, {"session_info": "What the session is; always 1"}),
    *_of(
        "",
        GAUGE,
        {
            "session_up": "1: a process of it runs; 0: it died without a word; no sample: it left, or died on another day and held nothing",
            "session_start_time_seconds": "When its present process began, Unix time in seconds",
            "session_heartbeat_age_seconds": "Age of its last heartbeat, which comes each second, in seconds",
            "feed_age_seconds": "Time since the last packet of the feed, in seconds",
            "feed_stale": "1: the feed is stale; 0: it is healthy",
            "order_channel_up": "1: orders can be sent to the broker; 0: they can't",
            "day_pnl_rupees": "P&L of the day, realised and open, after charges, in rupees",
            "equity_rupees": "Cash and open positions, in rupees",
            "cash_rupees": "Cash, in rupees",
            "drawdown_rupees": "How far equity is below its highest, in rupees",
            "gc_pause_max_seconds": "Longest garbage collection of the last second, in seconds",
            "timer_late_seconds": "By how much the last timer of the engine came too late, in seconds",
            "journal_lag_seconds": "For how long records of the journal have waited to be read by the monitor, in seconds",
            "journal_free_records": "Records for which the journal has room",
            "disk_free_bytes": "Room on the disk of its folder, in bytes",
            "clock_offset_seconds": "Least delay of packets in the last minute: how far the machine's clock is off, in seconds",
            "latency_drift_ratio": "By which share ticks take longer than in its baseline; no sample: they do not",
            "orders_unknown": "Orders of unknown state: sent, and not answered",
        },
    ),
    *_of(
        "",
        COUNTER,
        {
            "session_starts_total": "Processes of it so far",
            "frames_total": "Frames from the feed, of the present process",
            "inputs_total": "Inputs of the engine",
            "charges_rupees_total": "Charges paid, in rupees",
            "trades_total": "Trades that are closed",
            "gc_pauses_total": "Garbage collections, of the present process",
            "gc_pause_seconds_total": "Time that they took, of the present process, in seconds",
            "journal_records_total": "Records of the journal that were read",
            "books_differences_total": "Differences found between the broker's books and ours, of the present process",
            "order_partial_fills_total": "Fills that did not complete their order",
            "orders_timed_out_total": "Orders that had no answer for too long, whatever became of them",
        },
    ),
    *_of("stage", HISTOGRAM, {"tick_latency_seconds": "Time a tick took, by stage: decode, decide, order, total, in seconds"}),
    *_of("", HISTOGRAM, {"feed_delay_seconds": "From the exchange's time of a packet to its arrival, in seconds"}),
    *_of("", HISTOGRAM, {"order_round_trip_seconds": "From the input that led to an order to its first answer, in seconds"}),
    *_of("side", HISTOGRAM, {"fill_slippage_rupees": "How much worse than the decision's price a unit was filled, in rupees"}),
    *_of(
        "role",
        HISTOGRAM,
        {
            "order_send_seconds": "From an order's decision to its bytes, of orders that have ended, by role: entry, exit, stop; in seconds",
            "order_ack_seconds": "From its bytes to its acknowledgement, likewise, in seconds",
            "order_fill_seconds": "From its acknowledgement to its first fill, likewise, in seconds",
        },
    ),
    *_of(
        "side",
        GAUGE,
        {
            "slippage_decision_rupees": "How much worse than the decision's price all units were filled, by side: entry, exit; in rupees",
            "slippage_quote_rupees": "Likewise, than the quote at the decision, in rupees",
            "slippage_shadow_rupees": "Likewise, than the simulated exchange beside the broker's, in rupees",
        },
    ),
    *_of("instrument", COUNTER, {"ticks_total": "Ticks of an instrument"}),
    *_of(
        "reason",
        COUNTER,
        {
            "ticks_rejected_total": "Ticks that the engine did not use, by reason",
            "packets_unused_total": "Packets of the feed that were no ticks, by reason",
            "entries_denied_total": "Entries that a rule refused, by reason",
            "order_rejects_total": "Orders that were refused, by reason: rejected by the venue, not_sent by us, not_found there",
        },
    ),
    *_of("kind", COUNTER, {"commands_total": "Decisions of the engine, by kind"}),
    *_of("state", GAUGE, {"feed_connections": "Connections of the feed, by state: healthy, stale"}),
    *_of(
        "queue",
        GAUGE,
        {
            "queue_depth": "Fullest that a queue was in the last second, in units of its room",
            "queue_capacity": "Room of a queue",
        },
    ),
    *_of("queue", COUNTER, {"queue_dropped_total": "What found no room in a queue (frames, lines, rows), of the present process"}),
    *_of("state", GAUGE, {"orders": "Orders at work, by state"}),
    *_of("result", COUNTER, {"orders_total": "Orders, by result: sent, filled, cancelled, rejected, not_sent, not_found"}),
    *_of("instrument", GAUGE, {"position_quantity": "Units held"}),
    *_of(
        "instrument",
        GAUGE,
        {"position_unprotected_seconds": "For how long a position has had no stop order where one is wanted, in seconds"},
    ),
    *_of("reason", GAUGE, {"halted": "1: entries are halted for this reason; no sample: they are not"}),
    *_of("limit", GAUGE, {"limit_used_ratio": "Share of a limit that is used: day_loss, positions, orders_per_day, exposure"}),
    *_of("component", GAUGE, {"process_resident_memory_bytes": "Memory of its processes, by what they do, in bytes"}),
    *_of("component", COUNTER, {"process_cpu_seconds_total": "Processor time of its processes, by what they do, in seconds"}),
    *_of("level", COUNTER, {"log_lines_total": "Lines of its log that were read, by level"}),
)  # fmt: skip

MONITOR_METRICS: Final = (
    Metric("myquant_build_info", GAUGE, ("version", "python"), "The monitor's version; always 1"),
    Metric("myquant_findings", GAUGE, ("rule", "severity"), "What is found wrong now, by rule"),
    Metric("myquant_alerts_firing", GAUGE, ("severity",), "Alerts that are raised"),
    Metric("myquant_alert_deliveries_total", COUNTER, ("channel", "result"), "Messages by channel and result"),
    Metric("myquant_alert_spool", GAUGE, ("channel",), "Messages that wait to be delivered"),
    Metric("myquant_channel_up", GAUGE, ("channel",), "1: a channel delivers; 0: it does not"),
    Metric("myquant_monitor_looks_total", COUNTER, (), "Looks at all sessions"),
    Metric("myquant_monitor_look_seconds", HISTOGRAM, (), "Time that a look took, in seconds"),
    Metric("myquant_monitor_errors_total", COUNTER, (), "Defects that the monitor met"),
    Metric("myquant_monitor_requests_total", COUNTER, ("route", "code"), "Requests to the monitor, refused ones too"),
    Metric("myquant_monitor_sessions", GAUGE, ("state",), "Sessions: watched, old (not read any more), unreadable"),
)  # fmt: skip

METRICS: Final = {metric.name: metric for metric in (*SESSION_METRICS, *MONITOR_METRICS)}
