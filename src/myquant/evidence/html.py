"""The page of a baseline: one file that needs nothing but itself."""

from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myquant.evidence.charts import figures
from myquant.evidence.gate import Judged
from myquant.evidence.report import BaselineReport
from myquant.evidence.text import by_share, gc_line, judged_line, number
from myquant.results.report import plotly_source, script_json
from myquant.results.text import label, whole

# The stylesheet is that of the other reports.
LOADER: Final = ChoiceLoader([PackageLoader("myquant.evidence"), PackageLoader("myquant.results")])


def render_baseline(report: BaselineReport, judged: Judged) -> str:
    """Return the page of a report with its verdicts."""
    environment = Environment(
        loader=LOADER, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"label": label, "whole": whole, "number": number, "count": "{:,}".format}
    return environment.get_template("baseline.html.j2").render(
        report=report,
        judged=judged,
        components=by_share(report),
        lines=[*(judged_line(each) for each in judged.phases), gc_line(judged.gc)],
        plotly=Markup(plotly_source()),  # noqa: S704  (a file of the installed package, inside a script element)
        charts=Markup(script_json(figures(report, judged))),  # noqa: S704  (no "<" is left in it)
    )
