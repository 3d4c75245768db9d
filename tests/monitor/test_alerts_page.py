"""docs/monitoring.md has every rule, as it is."""

import re
from pathlib import Path

from myquant.monitor.rules import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"


def test_the_page_has_every_rule_as_it_is() -> None:
    section = PAGE.read_text(encoding="utf-8").split("\n## Alerts\n")[1].split("\n## ")[0]
    rows = [tuple(row) for row in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \| (.*) \|$", section, re.MULTILINE)]
    assert rows == [(name, rule.severity, rule.when, rule.remedy) for name, rule in RULES.items()]
