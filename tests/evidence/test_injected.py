"""Costs that are known are injected into a tick; shares and verdicts must come out as they are, on both sides of each threshold."""

from dataclasses import replace

import pytest

from evidence.baselines import CALIBRATION, make_facts, plain_config
from myquant.evidence.build import build_report
from myquant.evidence.gate import judge, thresholds_of
from myquant.evidence.report import BaselineReport
from myquant.evidence.verdicts import PHASES, Verdict
from myquant.measure.names import CSV_WRITE, DATAFRAME_OPS, INGEST, JOURNAL, LOGGING, NAMES, QUEUE_OPS, UNATTRIBUTED
from myquant.measure.spans import AGAIN, Spans

TICKS = 600
TICK_NS = 100_000
FEW = plain_config("evidence.min_ticks=500")
THRESHOLDS = {phase.component: float(thresholds_of(FEW)[phase.threshold_key.partition(".")[2]]) for phase in PHASES}


class Work:
    """A clock that goes on only when work is done."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def clock(self) -> int:
        return self.now_ns

    def spend(self, duration_ns: float) -> None:
        self.now_ns += round(duration_ns)


def lengths() -> list[float]:
    """Return how long each tick is to take: a little more and less in turn."""
    return [TICK_NS * (0.8 + 0.4 * (number * 7 % 11) / 10) for number in range(TICKS)]


def injected(code: int, share: float, form: str) -> BaselineReport:
    """Return the report of a pipeline of which one component takes a share, in percent, in one of the awkward forms."""
    work = Work()
    spans = Spans(TICKS, clock=work.clock)
    for length in lengths():
        work.spend(1_000)
        mine, others = length * share / 100, length * (100 - share) / 100
        arrived_ns = work.now_ns
        if code == QUEUE_OPS:
            work.spend(mine)  # in the hand-off, before it begins
            spans.begin(arrived_ns, arrived_ns)
            spans.mark(JOURNAL)
            work.spend(others)
        else:
            spans.begin(arrived_ns, 0)
            spans.mark(INGEST)
            work.spend(others * 0.2)
            FORMS[form](spans, work, code, mine, others * 0.8)
        spans.end()
    breakdown = replace(spans.breakdown(measured=set(range(1, len(NAMES)))), calibration=CALIBRATION)
    return build_report(breakdown, make_facts(FEW))


def nested(spans: Spans, work: Work, code: int, mine: float, others: float) -> None:
    """Spend a component's time inside another one's, which goes on behind it."""
    spans.mark(JOURNAL)
    work.spend(others / 2)
    spans.mark(code)
    work.spend(mine)
    spans.mark(AGAIN + JOURNAL)
    work.spend(others / 2)


def repeated(spans: Spans, work: Work, code: int, mine: float, others: float) -> None:
    """Spend it in three spans, of which the last is the shortest."""
    for part in (0.6, 0.3, 0.1):
        spans.mark(code)
        work.spend(mine * part)
        spans.mark(JOURNAL)
        work.spend(others / 3)


def unmeasured(spans: Spans, work: Work, code: int, mine: float, others: float) -> None:
    """Spend it beside work that nobody measures."""
    spans.mark(code)
    work.spend(mine)
    spans.mark(UNATTRIBUTED)
    work.spend(others)


FORMS = {"nested": nested, "repeated": repeated, "unmeasured": unmeasured}
CODES = {"logging": LOGGING, "csv_write": CSV_WRITE, "queue_ops": QUEUE_OPS, "dataframe_ops": DATAFRAME_OPS}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("component", CODES)
@pytest.mark.parametrize("away", [-12, -5, 5, 12])
def test_the_share_is_what_was_injected_and_the_verdict_flips_at_the_threshold(
    component: str, form: str, away: int
) -> None:
    share = THRESHOLDS[component] + away
    report = injected(CODES[component], share, form)
    found = report.component_breakdown[component].percent_of_total
    assert found is not None
    assert found.value == pytest.approx(share, abs=1.0)
    total = sum(each.percent_of_total.value for each in report.component_breakdown.values() if each.percent_of_total)
    assert total == pytest.approx(100, abs=0.1)
    judged = {each.phase.component: each.judgement.verdict for each in judge(report, thresholds_of(FEW)).phases}
    assert judged[component] is (Verdict.IMPLEMENT if away > 0 else Verdict.SKIP)


@pytest.mark.parametrize(("share", "verdict"), [(45.0, Verdict.IMPLEMENT), (22.0, Verdict.SKIP)])
@pytest.mark.parametrize("form", FORMS)
def test_the_workloads_that_fooled_an_earlier_gate_do_not_fool_this_one(
    share: float, verdict: Verdict, form: str
) -> None:
    report = injected(LOGGING, share, form)
    judged = {each.phase.component: each.judgement.verdict for each in judge(report, thresholds_of(FEW)).phases}
    assert judged["logging"] is verdict
