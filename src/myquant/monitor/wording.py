"""The words of a message: a title that fits a short one, and a body with what is wrong and what to do."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from myquant.monitor.alert import RESOLVED, Notice
from myquant.monitor.finding import INFO, SEVERITIES
from myquant.monitor.rules import RULES
from myquant.results.text import counted, date_time

TITLE_MAX: Final = 140  # characters: of a short message
ITEMS_MAX: Final = 40
PLACES: Final = {name: place for place, name in enumerate(RULES)}  # the gravest rules stand first
MONITOR: Final = "monitor"  # instead of a session's name


def severity_of(notices: Sequence[Notice]) -> str:
    """Return how severe a message is: as its worst fault; news and what is over are info."""
    lasting = _lasting(notices)
    severities = [each.severity for each in notices if each.number in lasting]
    return max(severities, key=SEVERITIES.index, default=INFO)


def title(notices: Sequence[Notice]) -> str:
    """Return one line of 140 characters at most: severity, session, what; and how much more there is."""
    number = _by_urgency(notices)[0].number
    first = [each for each in _by_urgency(notices) if each.number == number][-1 if number else 0]
    lasts = number in _lasting(notices)
    more = f" (+{len(notices) - 1} more)" if len(notices) > 1 else ""
    what = f"{first.rule}: " if lasts else f"resolved: {first.rule}: " if first.number else ""
    head = f"{severity_of(notices).upper()} {first.session or MONITOR}: {what}"
    room = TITLE_MAX - len(more)
    line = " ".join(f"{head}{first.text}".split())
    return (line if len(line) <= room else f"{line[: room - 3]}...") + more


def body(notices: Sequence[Notice], zone: tzinfo, *, held_back: str = "", dropped: int = 0) -> str:
    """Return a message's text; `held_back`: why it comes late; `dropped`: how many notices were too many to keep."""
    ordered = _by_urgency(notices)
    blocks = [_block(each, zone) for each in ordered[:ITEMS_MAX]]
    if held_back:
        blocks.insert(0, f"{counted(len(notices) + dropped, 'message')} in one: {held_back}.")
    more = len(notices) - ITEMS_MAX if len(notices) > ITEMS_MAX else 0
    if more + dropped:
        blocks.append(f"and {more + dropped:,} more: `myquant alerts list --all`")
    return "\n\n".join(blocks)


def _by_urgency(notices: Sequence[Notice]) -> list[Notice]:
    """Return faults that last first, the worst of them first; what is told of one alert stays together, in time's order."""
    lasting = _lasting(notices)
    worst: dict[int, int] = {}
    for each in notices:
        worst[each.number] = max(SEVERITIES.index(each.severity), worst.get(each.number, 0))
    return sorted(
        notices,
        key=lambda each: (
            each.number not in lasting,
            -worst[each.number],
            not each.number,
            PLACES.get(each.rule, len(PLACES)),
            each.number,
        ),
    )


def _lasting(notices: Sequence[Notice]) -> set[int]:
    """Return the numbers of the alerts that are not over by the last that is told of them here, in time's order."""
    last = {each.number: each.what for each in notices if each.number}
    return {number for number, what in last.items() if what != RESOLVED}


def _block(notice: Notice, zone: tzinfo) -> str:
    who = notice.session or MONITOR
    if not notice.number:
        return f"{who}: {notice.what.replace('_', ' ')} at {date_time(notice.at_ns, zone)}\n  {notice.text}"
    lines = [
        f"{who}: {notice.rule} ({notice.severity}) {notice.what} at {date_time(notice.at_ns, zone)}, alert {notice.number}",
        f"  {notice.text}",
        f"  since {date_time(notice.since_ns, zone)}",
    ]
    if notice.what != RESOLVED:
        look = f"`myquant status {notice.session}`" if notice.session else "`myquant health`"
        lines += [f"  do: {notice.remedy}", f"  look: {look}; seen to: `myquant alerts ack {notice.number}`"]
    return "\n".join(lines)
