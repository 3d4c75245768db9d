"""The rules: what is a fault, how bad it is, and what to do about it. docs/monitoring.md has this table for people."""

from types import MappingProxyType
from typing import Final, NamedTuple

from myquant.monitor import rules_monitor, rules_process, rules_trading
from myquant.monitor.faults import MonitorRule, SessionRule
from myquant.monitor.finding import CRITICAL, WARNING

# Which sessions a rule is asked of: others repeat only what is known of them already.
ALL: Final = "all"
RUNNING: Final = "running"  # a process of it lives
AWAKE: Final = "awake"  # and it is not frozen
HEARD: Final = "heard"  # likewise, or it has left
NONE_NEW: Final = "none new for a minute"


class Rule(NamedTuple):
    """A rule.

    `of_session` finds faults of one session, asked of those that `asked_of` says; `of_monitor` those of everything else.
    """

    severity: str  # where it does not say another one
    when: str  # in one line
    remedy: str  # what to do
    of_session: SessionRule | None = None
    asked_of: str = ALL
    of_monitor: MonitorRule | None = None
    over: str = ""  # what its end means, where that is not that the fault is gone


RULE_FAILED: Final = "rule_failed"

RULES: Final = MappingProxyType(
    {
        "engine_dead": Rule(
            CRITICAL,
            "a session's process is gone without a word; in capitals when it holds something",
            "start it again with the same command; in doubt close at the broker, `myquant flatten --broker NAME`",
            rules_process.engine_dead,
        ),
        "engine_frozen": Rule(
            CRITICAL,
            "a process lives and journals nothing for `monitor.silence_s`, or was stopped by a signal",
            "`kill -CONT` it where a signal stopped it; else kill it and start it again with the same command",
            rules_process.engine_frozen,
        ),
        "session_failed": Rule(
            CRITICAL,
            "a session left with another exit code than 0",
            "read the last errors of its log; start it again with the same command",
            rules_process.session_failed,
        ),
        "session_lost": Rule(
            CRITICAL,
            "the folder of a session that runs, is dead or holds something is gone: nothing new can be known of it",
            "put it back, or mount its disk; look at the broker's order book",
            rules_process.session_lost,
        ),
        "position_bare": Rule(
            CRITICAL,
            "something is held and no stop order has been at work for it for `monitor.bare_s`",
            "look at the broker's order book; in doubt `myquant flatten`",
            rules_trading.position_bare,
        ),
        "order_unknown": Rule(
            CRITICAL,
            "an order has had no answer for `monitor.unknown_s`",
            "look it up in the broker's order book; the session asks again by itself",
            rules_trading.order_unknown,
            RUNNING,
        ),
        "books_differ": Rule(
            CRITICAL,
            "the broker's books differ from the session's, found within the last minute",
            "compare the account with `myquant status`; see RUNBOOK.md, Halts",
            rules_trading.books_differ,
            RUNNING,
            over="none new for a minute; whoever has not looked should",
        ),
        "order_channel_down": Rule(
            WARNING,
            "orders can't be sent to the broker for `monitor.order_channel_s`; critical while something is held",
            "look at the network and the broker's own pages; positions can be closed there",
            rules_trading.order_channel_down,
            AWAKE,
        ),
        "funds_short": Rule(
            WARNING,
            "an entry was denied as the broker's funds buy no lot; until they do",
            "see to the account's funds; nothing is entered until then",
            rules_trading.funds_short,
            RUNNING,
        ),
        "rejects_in_a_row": Rule(
            WARNING,
            "`monitor.rejects` orders were refused, one after the other",
            "read the refusals in the log: funds, limits, the contract",
            rules_trading.rejects_in_a_row,
            RUNNING,
        ),
        "day_loss": Rule(
            WARNING,
            "the day's loss has reached a share of `risk.max_day_loss` (`monitor.day_loss_percents`), told for each; from 100 % on critical",
            "`myquant status`; `myquant halt` or `myquant flatten` if that is too much",
            rules_trading.day_loss,
            RUNNING,
        ),
        "halted": Rule(
            WARNING,
            "entries are halted, told for each reason; info by a person, critical where something is broken",
            "`myquant status` says why, and how entries come back",
            rules_process.halted,
            RUNNING,
        ),
        "feed_stale": Rule(
            WARNING,
            "the session has called its feed stale for `monitor.feed_stale_s` while the market is open; critical while something is held",
            "look at the network; the session connects again by itself; in doubt `myquant flatten`",
            rules_trading.feed_stale,
            AWAKE,
        ),
        "feed_age": Rule(
            WARNING,
            "no packet for `monitor.feed_age_s` while the market is open; critical while something is held",
            "is anything traded? Look at the network; in doubt `myquant flatten`",
            rules_trading.feed_age,
            AWAKE,
        ),
        "clock_offset": Rule(
            WARNING,
            "the machine's clock and the exchange's differ by `monitor.clock_offset_s`; not where the exchange's day is another one, which a lab plays",
            "look at the machine's time service: `timedatectl`",
            rules_trading.clock_offset,
            AWAKE,
        ),
        "queue_full": Rule(
            WARNING,
            "the hand-off from the feed is `monitor.queue_percent` full",
            "what else uses this machine? `myquant baseline` finds what takes the time",
            rules_process.queue_full,
            AWAKE,
        ),
        "ticks_dropped": Rule(
            WARNING,
            "frames of the feed (critical), lines of the log or rows of files were dropped within the last minute",
            "the machine is too slow, or its disk full: see what else uses it",
            rules_process.ticks_dropped,
            over=NONE_NEW,
        ),
        "latency_drift": Rule(
            WARNING,
            "ticks take longer than in the baseline (`monitor.drift`)",
            "what has changed on this machine since? `myquant baseline` finds what takes the time",
            rules_process.latency_drift,
            AWAKE,
        ),
        "disk_low": Rule(
            WARNING,
            "less than `monitor.disk_free_mib` is free (critical: a tenth of it), or the journal has little room left (critical)",
            "free the disk; see RUNBOOK.md, The disk",
            rules_process.disk_low,
            HEARD,
        ),
        "journal_damaged": Rule(
            CRITICAL,
            "a journal can't be read to its end",
            "`myquant journal verify`; see docs/journal.md, Damage",
            rules_process.journal_damaged,
        ),
        "journal_lag": Rule(
            WARNING,
            "the monitor is `monitor.journal_lag_s` behind a journal",
            "what else uses this machine? What is shown of the session is old meanwhile",
            rules_process.journal_lag,
        ),
        "replay_differs": Rule(
            CRITICAL,
            "a replay of the session decides otherwise (`monitor.replay`)",
            "`myquant replay` shows both sides; keep the folder and report it",
            rules_process.replay_differs,
        ),
        "log_errors": Rule(
            WARNING,
            "errors were logged within the last minute",
            "read the log; `myquant status` has the last error",
            rules_process.log_errors,
            over=NONE_NEW,
        ),
        "session_missing": Rule(
            CRITICAL,
            "a session of `monitor.expect` has not begun by `monitor.expect_by` on a trading day",
            "start it; look at what should have started it (cron, systemd)",
            of_monitor=rules_monitor.session_missing,
        ),
        "unreadable": Rule(
            WARNING,
            "a folder of runs, that of a session or a log can't be read",
            "look at its permissions and at the disk",
            of_monitor=rules_monitor.unreadable,
        ),
        "channel_down": Rule(
            CRITICAL,
            "an alert channel delivers nothing (`alerts.down_after`); told on the others",
            "`myquant alerts test` says what is wrong",
            of_monitor=rules_monitor.channel_down,
        ),
        "heartbeat_failed": Rule(
            WARNING,
            "the outgoing heartbeat does not arrive",
            "look at the network, and at its address",
            of_monitor=rules_monitor.heartbeat_failed,
        ),
        "spool_failed": Rule(
            CRITICAL,
            "alerts and messages can't be kept on the disk: a restart of the monitor would lose them",
            "free the disk of the monitor's state folder",
            of_monitor=rules_monitor.spool_failed,
        ),
        "pages_down": Rule(
            WARNING,
            "the process that serves the pages ends again and again, or can't begin; sessions are watched all the same",
            "read the monitor's log, and what `myquant dashboard` says when it is begun by hand",
            of_monitor=rules_monitor.pages_down,
        ),
        "monitor_late": Rule(
            WARNING,
            "the monitor itself came too late to look within the last minute, or the machine slept or its clock was set by a minute or more",
            "what else uses this machine?",
            of_monitor=rules_monitor.monitor_late,
        ),
        RULE_FAILED: Rule(
            CRITICAL,
            "a rule itself failed: a defect in myquant; what it watches is not watched",
            "keep the monitor's log and report it",
        ),
    }
)
