"""The tree of commands, the global options, and the way from an error to an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, Final

import typer
from typer.main import get_command

import myquant
from myquant.cli import (
    alerts,
    alerts_test,
    backtest,
    baseline,
    compare,
    config,
    dashboard,
    doctor,
    execution,
    gate,
    journal,
    lab,
    live,
    logs,
    monitor,
    monitor_files,
    operate,
    paper,
    record,
    replay,
    runs,
    tick_extract,
    ticks,
)
from myquant.cli.failures import DONE, FAILED, INTERRUPTED, failure, tell
from myquant.cli.options import examples

DEBUG: Final = "--debug"

EXAMPLES: Final = examples(
    "myquant ticks generate day.csv",
    "myquant backtest day.csv",
    "myquant backtest day.csv --set risk.base_sl_points=20 --out runs/wide-stop",
    "myquant config show --origins",
)
EXIT_CODES: Final = """\b
Exit codes:
  0    done
  1    anything that is none of the below
  2    bad usage or configuration
  3    bad data
  4    a journal that can't be written or read
  5    a broker that refused or can't be reached
  6    health: degraded
  7    health: failed
  130  interrupted by Ctrl-C"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)  # plain help: twice as fast as rich's, and it pipes
app.command(epilog=backtest.EXAMPLES)(backtest.backtest)
app.command(epilog=f"{paper.EXAMPLES}\n\n{paper.SECRETS}\n\n{paper.EXIT_CODES}")(paper.paper)
app.command(epilog=f"{live.EXAMPLES}\n\n{paper.SECRETS}\n\n{paper.EXIT_CODES}")(live.live)
app.command(epilog=operate.STATUS_EXAMPLES)(operate.status)
app.command(epilog=operate.HALT_EXAMPLES)(operate.halt)
app.command(epilog=operate.RESUME_EXAMPLES)(operate.resume)
app.command(epilog=operate.FLATTEN_EXAMPLES)(operate.flatten)
app.command(epilog=operate.STOP_EXAMPLES)(operate.stop)
app.command(epilog=f"{doctor.EXAMPLES}\n\n{paper.SECRETS}\n\n{doctor.EXIT_CODES}")(doctor.doctor)
app.command(epilog=f"{record.EXAMPLES}\n\n{paper.SECRETS}\n\n{record.EXIT_CODES}")(record.record)
app.command(epilog=replay.REPLAY_EXAMPLES)(replay.replay)
app.command(epilog=replay.DIVERGENCE_EXAMPLES)(replay.divergence)
app.command(epilog=runs.EXAMPLES)(runs.runs)
app.command(epilog=execution.EXAMPLES)(execution.execution)
app.command(epilog=logs.EXAMPLES)(logs.logs)
app.command(epilog=f"{baseline.EXAMPLES}\n\n{baseline.EXIT_CODES}")(baseline.baseline)
app.command(epilog=f"{gate.EXAMPLES}\n\n{gate.EXIT_CODES}")(gate.gate)
app.command(epilog=f"{compare.EXAMPLES}\n\n{compare.EXIT_CODES}")(compare.compare)
app.command(epilog=f"{monitor.MONITOR_EXAMPLES}\n\n{monitor.EXIT_CODES}")(monitor.monitor)
app.command(epilog=f"{monitor.HEALTH_EXAMPLES}\n\n{monitor.EXIT_CODES}")(monitor.health)
app.command("monitor-files", epilog=monitor_files.EXAMPLES)(monitor_files.monitor_files)
app.add_typer(dashboard.app, name="dashboard")
app.add_typer(alerts.app, name="alerts")
app.add_typer(journal.app, name="journal")
app.command(epilog=lab.EXAMPLES)(lab.lab)
ticks.app.command(epilog=tick_extract.EXAMPLES)(tick_extract.extract)
app.add_typer(ticks.app, name="ticks")
app.add_typer(config.app, name="config")
alerts.app.command(name="test", epilog=f"{alerts_test.EXAMPLES}\n\n{alerts_test.EXIT_CODES}")(alerts_test.send_test)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"myquant {myquant.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=f"{EXAMPLES}\n\n{EXIT_CODES}")
def _global(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    _debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    """Backtest intraday strategies on Indian index options, run them on a broker's feed, and trade them there."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (that of the process when None is given) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != DEBUG]  # wherever it stands: it is often added at the end
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name that the terminal cannot show is no reason to fail
    try:
        code = get_command(app).main(words, prog_name="myquant", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail again
        return FAILED
    except Exception as error:  # noqa: BLE001  (the runner's top: every error ends as one line and a code)
        if len(words) < len(given):
            traceback.print_exception(error)
        found = failure(error)
        tell(found.lines)
        return found.code
    if code == INTERRUPTED:
        tell(failure(KeyboardInterrupt()).lines)
    return code or DONE
