"""`myquant alerts`: what is wrong and was wrong, and saying that somebody sees to it."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myquant.cli.options import examples
from myquant.errors import ConfigError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from myquant.monitor.alert import Alert

ALL: Final = "all"

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
    from myquant.monitor.alert_list import alerts_in, state_of
    from myquant.monitor.folder import monitor_folder
    from myquant.monitor.state import is_taken

    if not is_taken(monitor_folder()):
        print("note: no monitor runs: alerts are as the last one has left them", file=sys.stderr)
    found = alerts_in(monitor_folder())
    for number, why in found.unreadable.items():
        print(f"note: alert {number} can't be understood, as of another version or damaged: {why}", file=sys.stderr)
    alerts = [alert for alert in found.alerts if every or alert.resolved_ns is None]
    if as_json:
        rows: list[dict[str, Any]] = [asdict(alert) | {"state": state_of(alert)} for alert in alerts]
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
    import time

    from myquant.monitor.alert_list import NOTE_RULE, acknowledge, alerts_in, is_note
    from myquant.monitor.folder import monitor_folder

    if not is_note(note):
        raise ConfigError(f"--note: must be {NOTE_RULE}")
    lasting = {str(alert.number): alert for alert in alerts_in(monitor_folder()).alerts if alert.resolved_ns is None}
    if which != ALL and which not in lasting:
        raise ConfigError(f"alerts ack {which}: no such alert lasts; `myquant alerts list` has their numbers")
    numbers = map(int, lasting) if which == ALL else [int(which)]
    noted = acknowledge(monitor_folder(), numbers, note, time.time_ns())
    for alert in noted:
        print(f"acknowledged: {alert.number} {alert.session or 'monitor'}: {alert.rule}")
    if not noted:
        print("no alert lasts")


def _line(alert: "Alert", zone: "ZoneInfo") -> str:
    from myquant.monitor.alert_list import state_of
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
    return f"{alert.number:>4}  {alert.severity:<8}  {state_of(alert):<12}  {what}: {alert.text} ({'; '.join(facts)})"
