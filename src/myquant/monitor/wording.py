"""The words of a message: a title that fits a short one, and a body with what is wrong and what to do."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from myquant.monitor.alert import OVER, Notice
from myquant.monitor.finding import INFO, SEVERITIES
from myquant.monitor.rules import RULES
from myquant.results.text import counted, date_time

TITLE_MAX: Final = 140  # characters: of a short message
ITEMS_MAX: Final = 40
PLACES: Final = {name: place for place, name in enumerate(RULES)}  # the gravest rules stand first
DAY_END: Final = "day_end"
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
    others = f" (+{len(notices) - 1} more)" if len(notices) > 1 else ""
    what = f"{first.rule}: " if lasts else f"{first.what}: {first.rule}: " if first.number else ""
    head = f"{severity_of(notices).upper()} {_who(first)}: {what}"
    room = TITLE_MAX - len(others)
    line = " ".join(f"{head}{first.text}".split())
    return (line if len(line) <= room else f"{line[: room - 3]}...") + others


def body(notices: Sequence[Notice], zone: tzinfo, *, held_back: str = "", dropped: int = 0) -> str:
    """Return a message's text; `held_back`: why it comes late; `dropped`: how many notices were too many to keep."""
    ordered = _by_urgency(notices)
    blocks, stands = [], set[str]()
    for each in ordered[:ITEMS_MAX]:
        is_new = each.is_fault and each.stand and each.session not in stands
        blocks.append(_block(each, zone, each.stand if is_new else ""))
        stands |= {each.session} if is_new else set()
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
            each.what != DAY_END,
            -worst[each.number],
            not each.number,
            PLACES.get(each.rule, len(PLACES)),
            each.number,
        ),
    )


def _lasting(notices: Sequence[Notice]) -> set[int]:
    """Return the numbers of the alerts that are not over by the last that is told of them here, in time's order."""
    last = {each.number: each.what for each in notices if each.number}
    return {number for number, what in last.items() if what not in OVER}


def _who(notice: Notice) -> str:
    """Return whom a notice is about: `monday (paper)`; what it says of money is said of that kind."""
    if not notice.session:
        return MONITOR
    return f"{notice.session} ({notice.kind})" if notice.kind else notice.session


def _block(notice: Notice, zone: tzinfo, stand: str) -> str:
    who = _who(notice)
    if not notice.number:
        return f"{who}: {notice.what.replace('_', ' ')} at {date_time(notice.since_ns, zone)}\n  {notice.text}"
    lines = [
        f"{who}: {notice.rule} ({notice.severity}) {notice.what} at {date_time(notice.at_ns, zone)}, alert {notice.number}",
        f"  {notice.text}",
        f"  since {date_time(notice.since_ns, zone)}",
    ]
    lines += [f"  {stand}"] if stand else []
    if notice.what not in OVER:
        look = f"`myquant status {notice.session}`" if notice.session else "`myquant health`"
        lines += [f"  do: {notice.remedy}", f"  look: {look}; seen to: `myquant alerts ack {notice.number}`"]
    return "\n".join(lines)
