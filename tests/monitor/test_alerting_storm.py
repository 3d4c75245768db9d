"""A long random storm of faults, with kills between any two things that last: nothing is lost, nothing is told twice."""

import itertools
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from monitor.told import SEVERITIES, Killed, Told, fault, news
from myquant.monitor.book import Book
from myquant.monitor.finding import Finding
from myquant.monitor.message import Message

FAULTS = [fault(rule, session=session) for rule in ("feed_stale", "halted", "queue_full") for session in ("a", "b")]
ITEM = re.compile(r"\((\w+)\) (raised again|raised|risen|resolved|still there) at .*, alert (\d+)$", re.MULTILINE)
LOOKS = 1_500


class KilledBook(Book):
    """A book whose process may be killed before and after each write."""

    told: Told

    def write(self, *given: object) -> bool:
        if given[0] or self._unsaved:
            self.told.step()
        done = super().write(*given)  # type: ignore[arg-type]
        if given[0]:
            self.told.step()
        return done


def storm(seed: int) -> list[list[Finding]]:
    """Return what is found at each look: faults come, last, change their severity and go."""
    randomly = random.Random(seed)
    there: dict[int, str] = {}
    looks = []
    for _ in range(LOOKS):
        for number in range(len(FAULTS)):
            if number in there and randomly.random() < 0.02:
                del there[number]
            elif (number not in there and randomly.random() < 0.01) or (number in there and randomly.random() < 0.01):
                there[number] = randomly.choice(SEVERITIES)
        looks.append([FAULTS[number]._replace(severity=severity) for number, severity in there.items()])
    return [*looks, *([[]] * 200)]


def weather(tmp_path: Path, seed: int, *, kills: bool) -> Told:
    """Run a storm, a look every two seconds; where a process is killed the next one sees the same."""
    randomly = random.Random(seed)
    told = Told(tmp_path, alerts__group_s=5, alerts__per_hour=100_000, alerts__repeat_s=300)
    for number, found in enumerate(storm(seed)):
        happened = (news(at_s=number, text=f"news {number}"),) if number % 50 == 0 else ()
        while True:
            if kills and randomly.random() < 0.2:
                told.book.__class__, told.book.told, told.steps_left = KilledBook, told, randomly.randrange(8)  # type: ignore[attr-defined]
            try:
                told.take(2 * number, *found, happened=happened)
                break
            except Killed:
                told.steps_left = None
                told.restart()
        told.steps_left = None
    return told


def by_channel(messages: list[Message]) -> dict[str, list[tuple[str, str]]]:
    """Return number and happening of everything told on each channel."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for each in messages:
        found[each.channel] += [(number, what) for _, what, number in ITEM.findall(each.body)]
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_alert_is_told_in_its_order_and_ends(tmp_path: Path, seed: int) -> None:
    told = weather(tmp_path, seed, kills=False)
    for told_of in by_channel(told.messages).values():
        steps: dict[str, list[str]] = defaultdict(list)
        for number, what in told_of:
            steps[number].append(what)
        for number, whats in steps.items():
            assert whats[0] in {"raised", "risen"}, number  # a channel for worse faults hears of it when it is risen
            assert whats.count("raised") <= 1
            assert whats[-1] == "resolved"
            assert all(
                before != "resolved" or after in {"raised again", "risen"}
                for before, after in itertools.pairwise(whats)
            )
    assert sum(told.alerting.firing().values()) == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kills_change_nothing_of_what_is_told(tmp_path: Path, seed: int) -> None:
    plain, killed = weather(tmp_path / "plain", seed, kills=False), weather(tmp_path / "killed", seed, kills=True)
    assert killed.kills > 20
    assert len(plain.messages) > 100
    assert Counter(plain.messages) == Counter(killed.messages)
