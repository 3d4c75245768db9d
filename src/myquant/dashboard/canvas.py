"""A chart whose series are told to the browser by themselves.

Options that are given to the element are wrapped point by point in objects that are observed: 0.4 s for the prices of a day, in which
no page is served.
"""

from collections.abc import Sequence

from nicegui import ui
from nicegui.json import dumps

from myquant.dashboard.charts import Options

STYLE = "width: 100%; height: {height_px}px"


class Canvas:
    """A chart where the page is, with no series yet.

    Args:
        frame: its options: axes, legend, and the like.
        name: what it shows, for those who hear it.
        height_px: how high it is.
    """

    def __init__(self, frame: Options, name: str, height_px: int) -> None:
        self.element = ui.echart(frame).style(STYLE.format(height_px=height_px))
        self.element.props(f'role=img aria-label="{name}"')
        self.element._update_method = None  # noqa: SLF001  (an update of the element would put the frame in place of what is drawn)

    def send(self, series: Sequence[Options]) -> None:
        """Draw series, in place of those that have the same `id`; others stay."""
        if series:
            told = dumps(dumps(series))  # as a text: a browser reads that much sooner than a script
            self.element.client.run_javascript(f"drawSeries({self.element.id}, {told})")
