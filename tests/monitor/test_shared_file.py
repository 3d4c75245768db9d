"""The monitor's database, which its book and its spool have open and commands look into: no look loses what is written."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from monitor.posts import Clock, message_of
from myquant.monitor.book import ALERT, Book
from myquant.monitor.spool import Spool

LOOK = (
    "import sys; from pathlib import Path; from myquant.monitor.book import Book; Book(Path(sys.argv[1])).rows('alert')"
)


def test_what_is_written_while_another_process_looks_is_there(tmp_path: Path) -> None:
    """SQLite removes the log of what was written once the last user leaves: a look must not be taken for the last."""
    spool = Spool(tmp_path, Clock())
    book = Book(tmp_path)
    assert book.write({(ALERT, "1"): "before"}, 1)
    spool.add(message_of("before"))
    subprocess.run([sys.executable, "-c", LOOK, str(tmp_path)], check=True, timeout=60)
    assert book.write({(ALERT, "2"): "after"}, 2)
    spool.add(message_of("after", created_ns=2))
    with sqlite3.connect(tmp_path / "alerts.sqlite") as other:  # what anybody reads, and a monitor after a kill
        rows = other.execute("select key, value from book order by key").fetchall()
        titles = other.execute("select title from deliveries order by id").fetchall()
    other.close()
    assert rows == [("1", "before"), ("2", "after")]
    assert titles == [("before",), ("after",)]
    book.close()
    spool.close()
