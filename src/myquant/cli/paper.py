"""`myquant paper`: a session on a broker's feed, with simulated fills."""

import os
import signal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, examples
from myquant.cli.starting import listed_contracts, print_lines, record_use, session_folder, uncollected

if TYPE_CHECKING:
    from myquant.compose import Opened

EXAMPLES: Final = examples(
    "myquant paper --broker angelone NIFTY24NOV2625000CE",
    "myquant paper --broker angelone NIFTY24NOV2625000CE --session monday --set capital.initial_capital=1000000",
    "myquant paper --broker angelone --config mine.toml --strategy my_strategy.py",
)
KIND: Final = "paper"
SECRETS: Final = """\b
Secrets come from the environment or the keyring (service myquant-angelone), never from a file:
  MYQUANT_ANGELONE_API_KEY, _CLIENT_CODE, _PIN, _TOTP_SECRET"""
EXIT_CODES: Final = """\b
Exit codes: 0 the day is over, or stopped in order; 1 failed; 2 configuration; 3 data; 4 journal or disk; 5 broker"""


@uncollected()
def paper(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", show_default=False, help="Contracts; else that of instrument.symbol."),
    ] = None,
    *,
    broker: Annotated[str, typer.Option("--broker", metavar="NAME", show_default=False, help="angelone.")],
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
    session: Annotated[
        str | None,
        typer.Option("--session", metavar="NAME", help="The session's name; else paper-<date>-<first symbol>."),
    ] = None,
) -> None:
    """Run a session on a broker's feed: decide as in a backtest, fill on the simulated exchange, journal everything.

    Every start goes on where the session of that name was left, by whatever end. Ctrl-C or SIGTERM ends it in order; a
    second one hurries. At the end of the day its folder has the same results as a backtest's.
    """
    from myquant import compose
    from myquant.cli.output import console
    from myquant.cli.run import Finished, announce_compiling
    from myquant.cli.settings import load_settings
    from myquant.cli.summary import print_summary
    from myquant.results.summary import summary
    from myquant.session.runner import is_ready
    from myquant.strategies.loading import load_strategy

    chosen = load_strategy(strategy)
    loaded = load_settings(chosen, config=config, assignments=assignments)
    wanted = tuple(dict.fromkeys(symbols or [loaded.config.instrument.symbol]))
    folder = session_folder(loaded, KIND, wanted, session)
    announce_compiling(chosen, ready=is_ready(chosen))
    plan = compose.PaperPlan(broker, wanted, loaded, chosen, folder, os.environ)

    def review(opened: "Opened") -> None:
        _review(opened)
        record_use(opened, f"{KIND} --broker {broker} {' '.join(wanted)}", None)

    left = compose.paper(plan, review)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C is not to hide what follows
    if left.record is None:
        console().print(f"{folder}: no usable tick came; the journal has everything that did")
    else:
        print_summary(Finished(summary(left.record), folder / "results"), as_json=False)
    if not left.is_over:
        console().print(f"The session is not over: the same command goes on with it ({folder})")
    raise typer.Exit(left.exit_code)


def _review(opened: "Opened") -> None:
    """Print what the session is going to do, before it does anything."""
    from myquant.cli.output import console, money

    config, facts = opened.loaded.config, opened.facts
    changed = [
        f"{name} = {opened.loaded.text_of(name)}"
        for name, origin in opened.loaded.origins.items()
        if origin != "default" and not name.startswith(f"{facts.broker}.")
    ]
    console().print(f"Session {facts.name}: simulated fills on {facts.broker}'s feed", style="bold")
    lines = {
        "symbols": listed_contracts(opened),
        "strategy": facts.strategy,
        "capital": f"{money(float(config.capital.initial_capital))}, {config.risk.max_position_value_percent} % a position",
        "risk": f"stop {config.risk.stop_loss_mode}, day loss limit {_limit(float(config.risk.max_day_loss))}",
        "fills": f"{config.execution.fill_model}, slippage {config.risk.slippage_points} points",
        "journal": f"{opened.folder}, durable against the end of the {config.journal.durability}",
        "on stop": f"positions: {config.execution.on_stop}",
        "changed": ", ".join(changed) or "nothing",
        "broker": opened.loaded.config.angelone.rest_url,
        "config": f"{facts.config_hash[:8]}, engine {facts.engine_hash[:8]}",
    }
    print_lines(opened, lines)


def _limit(rupees: float) -> str:
    from myquant.cli.output import money

    return money(rupees) if rupees else "none"
