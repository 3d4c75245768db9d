import gc
from pathlib import Path

from myquant.journal.disk import DISK
from myquant.measure.collections import PauseRecorder
from session.sessions import RICH
from session.supervised import market_inputs, supervised


def test_no_collection_of_the_oldest_generation_in_a_session(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", RICH, market_inputs(1, 200), DISK)
    gc.collect()
    gc.disable()
    try:
        with PauseRecorder() as recorder:
            run.take(100)
            run.tape.now_ns += 10**9  # idle: garbage is collected
            run.supervisor.on_timer()
    finally:
        gc.enable()
        run.session.journal.close()
    generations = recorder.pauses()["generation"].tolist()
    assert generations
    assert max(generations) == 1
