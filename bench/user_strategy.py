"""A user's own strategy from a file against the built-in one, on the same signal."""

from functools import partial
from time import perf_counter

from bench import jobs
from bench.measure import Row, Section, interleaved, ratio, spread
from myquant.strategies.loading import LoadedStrategy, default_strategy, load_strategy

FILE = jobs.ROOT / "bench" / "ema_crossover.py"


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section has it)
    columns = jobs.ticks()
    batch = jobs.batch_of(columns)
    strategies = {"user": load_strategy(FILE), "built-in": default_strategy()}

    def seconds(strategy: LoadedStrategy) -> float:
        made = jobs.engine({}, strategy)
        began = perf_counter()
        jobs.run(made, batch)
        return perf_counter() - began

    rows = {name: jobs.rows_of_engine(jobs.run(jobs.engine({}, one), batch).trades) for name, one in strategies.items()}
    if rows["user"] != rows["built-in"]:
        raise RuntimeError(
            f"{FILE.name}: its {len(rows['user'])} trades are not the {len(rows['built-in'])} built-in ones"
        )
    taken = interleaved({name: partial(seconds, one) for name, one in strategies.items()}, rounds)
    per_tick = 1e9 / len(columns)
    row = Row(
        "EMA crossover from a user's file",
        "ns/tick",
        spread(taken["user"]).scaled(per_tick),
        "built-in",
        spread(taken["built-in"]).scaled(per_tick),
        ratio(taken["built-in"], taken["user"]),
        note=f"{len(rows['user']):,} trades, equal in every column",
    )
    return Section("strategy: a user's file against the built-in strategy", [row])
