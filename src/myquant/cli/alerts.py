"""`myquant alerts`: what is wrong and was wrong, and saying that somebody sees to it."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myquant.cli.options import examples
from myquant.errors import ConfigError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from myquant.monitor.alert import Alert

ALL: Final = "all"
NOTE_MAX: Final = 200

app = typer.Typer(help="See alerts, and say that somebody sees to them.", rich_markup_mode=None)


@app.command("list", epilog=examples("myquant alerts list", "myquant alerts list --all --json"))
def list_alerts(
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too: the last 30 days.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: times in ns UTC.")] = False,
) -> None:
    """List the alerts that last, the newest last; with or without a running monitor.

    Without one they are as the last monitor has left them.
    """
    import json
    import sys
    from dataclasses import asdict

    from myquant.cli.runs import screen_zone
    from myquant.monitor.folder import monitor_folder
    from myquant.monitor.state import is_taken

    if not is_taken(monitor_folder()):
        print("note: no monitor runs: alerts are as the last one has left them", file=sys.stderr)
    alerts = [alert for alert in _alerts() if every or alert.resolved_ns is None]
    if as_json:
        rows: list[dict[str, Any]] = [asdict(alert) | {"state": _state(alert)} for alert in alerts]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not alerts:
        print("no alerts" if every else "no alert lasts")
    zone = screen_zone()
    for alert in alerts:
        print(_line(alert, zone))


@app.command(epilog=examples("myquant alerts ack 12", 'myquant alerts ack all --note "the broker is down, waiting"'))
def ack(
    which: Annotated[str, typer.Argument(metavar="ID|all", show_default=False, help="Number of the alert.")],
    *,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", show_default=False, help="Kept with the alert.")] = "",
) -> None:
    """Say that somebody sees to an alert: it is not told again while it lasts, unless it becomes worse."""
    import json
    import time

    from myquant.monitor.book import ACK, Book
    from myquant.monitor.folder import monitor_folder

    if len(note) > NOTE_MAX or not note.isprintable():
        raise ConfigError(f"--note: must be at most {NOTE_MAX} printable characters on one line")
    lasting = {str(alert.number): alert for alert in _alerts() if alert.resolved_ns is None}
    if which != ALL and which not in lasting:
        raise ConfigError(f"alerts ack {which}: no such alert lasts; `myquant alerts list` has their numbers")
    chosen = list(lasting) if which == ALL else [which]
    now_ns = time.time_ns()
    with Book(monitor_folder()) as book:
        entries = {
            (ACK, number): json.dumps({"at_ns": now_ns, "note": note or lasting[number].note}, ensure_ascii=False)
            for number in chosen
        }
        if not book.write(entries, now_ns) and book.trouble:
            raise ConfigError(f"alerts ack: could not be noted ({book.trouble[1]}); try again")
    for number in chosen:
        print(f"acknowledged: {number} {lasting[number].session or 'monitor'}: {lasting[number].rule}")
    if not chosen:
        print("no alert lasts")


def _alerts() -> "list[Alert]":
    """Return all alerts of the book, the oldest first, with what was acknowledged and not yet taken by the monitor."""
    import json

    from myquant.monitor.alert import alert_of
    from myquant.monitor.book import ACK, ALERT, FILE, Book
    from myquant.monitor.folder import monitor_folder

    folder = monitor_folder()
    if not (folder / FILE).exists():
        return []
    with Book(folder) as book:
        alerts = sorted(map(alert_of, book.rows(ALERT).values()), key=lambda alert: alert.number)
        acks = {key: json.loads(text) for key, text in book.rows(ACK).items()}
    for alert in alerts:
        if (found := acks.get(str(alert.number))) is not None and alert.resolved_ns is None:
            alert.acknowledged_ns, alert.note = found["at_ns"], found["note"]
    return alerts


def _state(alert: "Alert") -> str:
    if alert.resolved_ns is not None and not alert.end:
        return "resolved"
    if not alert.is_firing:  # lately, and it may come back; or nobody has resolved it
        return "ended"
    return "firing" if alert.acknowledged_ns is None else "acknowledged"


def _line(alert: "Alert", zone: "ZoneInfo") -> str:
    from myquant.results.text import date_time

    subject = f" {alert.subject}" if alert.subject else ""
    what = f"{alert.session or 'monitor'}: {alert.rule}{subject}"
    facts = [f"since {date_time(alert.since_ns, zone)}"]
    if alert.ended_ns is not None:
        facts.append(f"over {date_time(alert.ended_ns, zone)}")
    if alert.end:
        facts.append(alert.end)
    if alert.comebacks:
        facts.append("came back once" if alert.comebacks == 1 else f"came back {alert.comebacks} times")
    if alert.note:
        facts.append(f"note: {alert.note}")
    return f"{alert.number:>4}  {alert.severity:<8}  {_state(alert):<12}  {what}: {alert.text} ({'; '.join(facts)})"
