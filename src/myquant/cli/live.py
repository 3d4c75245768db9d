"""`myquant live`: a session whose orders go to a broker."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, examples
from myquant.cli.starting import listed_contracts, print_lines, record_use, session_folder, uncollected

if TYPE_CHECKING:
    from myquant.compose import Left, OpenedAtBroker
    from myquant.config.loading import LoadedConfig
    from myquant.session.earlier import Compared
    from myquant.strategies.loading import LoadedStrategy

EXAMPLES: Final = examples(
    "myquant live --broker angelone NIFTY24NOV2625000CE --config mine.toml --i-understand",
    "myquant live --broker angelone NIFTY24NOV2625000CE --config mine.toml --i-understand --session monday",
)
KIND: Final = "live"
REHEARSED: Final = "paper"
MEANING: Final = (
    "give --i-understand, or try `myquant paper` first: this session sends orders to the broker with real money, and whatever is wrong in a"
    " setting, a strategy or this program is paid with it"
)
CUT_OFF: Final = (
    "The session could send nothing any more, and left its orders and positions as they were: {why}\n"
    "Look at what the account holds now; `myquant flatten --broker {broker}` closes everything. Once no other session sends"
    " orders for this account, the same command takes the account back and goes on ({folder}); entries then wait for"
    " `myquant resume`"
)
# Every limit that halts entries, as people read it; 0 means that there is none.
LIMITS: Final = (
    ("day loss, flattens", "risk.max_day_loss", "rupees"),
    ("orders a second", "risk.max_orders_per_second", ""),
    ("orders a day", "risk.max_orders_per_day", ""),
    ("positions a day", "risk.max_positions_per_day", ""),
    ("rejects in a row", "risk.max_rejects", ""),
    ("least funds", "broker.min_funds", "rupees"),
    ("no order channel for", "broker.channel_max_s", "s"),
    ("stale feed for", "feed.halt_after_s", "s"),
    ("no stop order for", "execution.unprotected_max_s", "s"),
)


@uncollected()
def live(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", show_default=False, help="Contracts; else that of instrument.symbol."),
    ] = None,
    *,
    broker: Annotated[str, typer.Option("--broker", metavar="NAME", show_default=False, help="angelone.")],
    i_understand: Annotated[
        bool, typer.Option("--i-understand", help="Say that you know: orders go to the broker, with real money.")
    ] = False,
    without_paper: Annotated[
        str | None,
        typer.Option(
            "--without-paper",
            metavar="REASON",
            show_default=False,
            help="Begin though no paper session has shown what these settings do; the reason is kept.",
        ),
    ] = None,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
    session: Annotated[
        str | None,
        typer.Option("--session", metavar="NAME", help="The session's name; else live-<date>-<first symbol>."),
    ] = None,
) -> None:
    """Run a session with real orders: decide as on paper, send to the broker, believe its books.

    A new session needs a finished paper session with the same settings, strategy and engine. Every start goes on where the
    session of that name was left, by whatever end, and asks the broker's books before it trades. `myquant flatten --broker`
    closes everything, engine or none.
    """
    from myquant import compose
    from myquant.cli.run import announce_compiling
    from myquant.cli.settings import load_settings
    from myquant.session.at_broker import refuse_unknown
    from myquant.session.runner import is_ready
    from myquant.strategies.loading import load_strategy

    refuse_unknown(broker)
    refuse_unasked(understood=i_understand, override=without_paper)
    chosen = load_strategy(strategy)
    loaded = load_settings(chosen, config=config, assignments=assignments)
    refuse_other_fills(loaded)
    wanted = tuple(dict.fromkeys(symbols or [loaded.config.instrument.symbol]))
    folder = session_folder(loaded, KIND, wanted, session)
    shown = evidence(folder, loaded, chosen, without_paper)
    announce_compiling(chosen, ready=is_ready(chosen))

    def review(opened: "OpenedAtBroker") -> None:
        print_review(opened, shown)
        record_use(opened, f"{KIND} --broker {broker} {' '.join(wanted)}", without_paper)

    plan = compose.LivePlan(broker, wanted, loaded, chosen, folder, os.environ, without_paper)
    _print_end(compose.live(plan, review), broker)


def _print_end(left: "Left", broker: str) -> None:
    """Print what a session left, and leave with its exit code."""
    from myquant.cli.output import console
    from myquant.cli.run import Finished
    from myquant.cli.summary import print_summary
    from myquant.results.summary import summary

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C is not to hide what follows
    if left.record is None:
        console().print(f"{left.folder}: no usable tick came; the journal has everything that did")
    else:
        print_summary(Finished(summary(left.record), left.folder / "results"), as_json=False)
    if left.cut_off:
        console().print(CUT_OFF.format(why=left.cut_off, broker=broker, folder=left.folder))
    elif not left.is_over:
        console().print(f"The session is not over: the same command goes on with it ({left.folder})")
    raise typer.Exit(left.exit_code)


def refuse_unasked(*, understood: bool, override: str | None) -> None:
    """Raise ConfigError unless a person has said that he knows, and why, where he overrides."""
    from myquant.errors import ConfigError

    if not understood:
        raise ConfigError(MEANING)
    if override is not None and not override.strip():
        raise ConfigError("--without-paper: give the reason; it is kept")


def refuse_other_fills(loaded: "LoadedConfig") -> None:
    """Raise ConfigError for a fill model that knows no orders under way."""
    from myquant.errors import ConfigError

    model = loaded.config.execution.fill_model
    if model != "limit":
        raise ConfigError(
            f'execution.fill_model = "{model}" ({loaded.origins["execution.fill_model"]}): orders at a broker take their time,'
            ' which this model does not know: set execution.fill_model = "limit", on paper first'
        )


def evidence(folder: Path, loaded: "LoadedConfig", strategy: "LoadedStrategy", override: str | None) -> str:
    """Return what shows that these settings were rehearsed, or why not when that was overridden. Raises ConfigError else.

    A session that goes on was asked when it began; one that was refused before it had a journal has not begun.
    """
    from myquant.errors import ConfigError
    from myquant.journal.segment import FOLDER as JOURNAL_FOLDER
    from myquant.session import archive
    from myquant.session.evidence_of import rehearsal

    if archive.is_session(folder) and (folder / JOURNAL_FOLDER).is_dir():
        return "asked for when the session began"
    runs = Path(loaded.config.results.directory)
    found = rehearsal(runs, REHEARSED, loaded, strategy)
    if found.folder is not None:
        return f"{found.folder.name} ran with these settings, strategy and engine"
    if override is not None:
        return f"none, overridden: {override} ({found.why_not})"
    raise ConfigError(
        f"no {REHEARSED} session has shown what these settings do: {found.why_not}; run `myquant {REHEARSED}` with them for"
        ' a day, or give the reason why not with --without-paper "..."'
    )


def print_review(opened: "OpenedAtBroker", shown: str) -> None:
    """Print what the session is going to do, before it does anything."""
    from myquant.cli.output import console, money
    from myquant.session.at_broker import masked
    from myquant.session.earlier import last_like

    config, facts, values = opened.loaded.config, opened.facts, opened.loaded.values
    console().print(f"Session {facts.name}: REAL ORDERS at {facts.broker}", style="bold")
    funds = f"{money(opened.funds.available_cash / 100)} to spend, {money(opened.funds.net / 100)} in all"
    changed = [
        f"{name} = {opened.loaded.text_of(name)}"
        for name, origin in opened.loaded.origins.items()
        if origin != "default"
    ]
    before = last_like(opened.folder.parent, KIND, facts.broker, facts.symbols, opened.loaded, but=facts.name)
    lines = {
        "account": f"{masked(opened.client_code)}, {funds}",
        "symbols": listed_contracts(opened),
        "strategy": facts.strategy,
        "product": config.angelone.product,
        "capital": f"{money(float(config.capital.initial_capital))}, {config.risk.max_position_value_percent} % a position",
        "limits": "; ".join(limit_texts(values)),
        "changed": ", ".join(changed) or "nothing",
        "last": differences_text(before),
        "rehearsal": shown,
        "broker": config.angelone.rest_url,
        "config": f"{facts.config_hash[:8]}, engine {facts.engine_hash[:8]}",
    }
    print_lines(opened, lines)


def limit_texts(values: dict[str, Any]) -> list[str]:
    """Return every limit that halts, with its value, or `none`."""
    from myquant.cli.output import money

    texts = []
    for words, name, unit in LIMITS:
        value = values[name]
        shown = money(float(value)) if unit == "rupees" else f"{value:f} {unit}".strip() if unit else f"{value:,}"
        texts.append(f"{words} {shown if value else 'NONE'}")
    return texts


def differences_text(before: "Compared | None") -> str:
    """Return what differs from the last session's settings."""
    from myquant.config.kinds import write

    if before is None:
        return "none of this broker and these symbols"
    changes = [
        f"{name} = {'(not set)' if then is None else write(then)} -> {'(not set)' if now is None else write(now)}"
        for name, then, now in before.differences
    ]
    return f"{before.earlier.facts.name}: {', '.join(changes) or 'same settings'}"
