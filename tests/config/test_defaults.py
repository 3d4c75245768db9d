"""The defaults: those of the specification, and of what came later."""

import tomllib
from pathlib import Path

from myquant.config.loading import DEFAULTS

MORE = """
[risk]
max_day_loss = 0.0
max_exposure_percent = 100.0
max_orders_per_second = 0
max_orders_per_day = 0
max_rejects = 3
[execution]
close_at_end = false
order_timeout_s = 5.0
on_stop = "keep"
latency_ms = 30
latency_jitter_ms = 120
protection_percent = 2.0
protection_ticks = 10
participation_percent = 10.0
order_life_s = 2.0
reprice_s = 1.0
protective_stop = true
stop_follow_s = 1.0
exit_retry_s = 1.0
unprotected_max_s = 60.0
[broker]
reconcile_s = 15.0
settle_s = 35.0
channel_max_s = 10.0
min_funds = 0.0
shadow = true
[feed]
mode = "snap_quote"
stall_s = 3.0
halt_after_s = 30.0
reconnect_max_s = 30.0
max_clock_jump_s = 120.0
[journal]
durability = "process"
segment_mib = 64
snapshot_interval_s = 60
[pipeline]
handoff = "callback"
logging = "sync"
results = "off"
frames = "off"
frame_every = 500
tick_line_every = 0
[evidence]
logging_percent = 40.0
csv_write_percent = 30.0
queue_ops_percent = 20.0
dataframe_ops_percent = 25.0
gc_spikes_percent = 30.0
min_ticks = 2000
target_ms = 5.0
target_tps = 100.0
pairs = 40
pair_ticks = 200
[angelone]
rest_url = "https://apiconnect.angelone.in"
stream_url = "wss://smartapisocket.angelone.in/smart-stream"
master_url = "https://margincalculator.angelbroking.com/OpenAPI_File/files/OpenAPIScripMaster.json"
update_url = "wss://tns.angelone.in/smart-order-update"
product = "INTRADAY"
public_ip = "127.0.0.1"
local_ip = "127.0.0.1"
mac = "00:00:00:00:00:00"
[charges]
model = "india_index_options"
broker = "zerodha"
[data_quality]
strict = false
rejected_examples = 5
[results]
directory = "runs"
mark_interval_s = 5
max_marks = 20000
report = true
excel = false
[logs]
file_mib = 16
total_mib = 256
daily = true
adaptive = true
raise_s = 120.0
errors_per_minute = 5
volatility_percent = 2.0
queue_percent = 50.0
tick_line_every = 10
export_url = ""
[monitor]
host = "127.0.0.1"
port = 9464
open_probes = true
look_s = 0.25
silence_s = 3.0
feed_age_s = 5.0
feed_stale_s = 3.0
order_channel_s = 3.0
bare_s = 5.0
unknown_s = 10.0
rejects = 2
day_loss_percents = [50.0, 80.0, 100.0]
queue_percent = 80.0
clock_offset_s = 2.0
journal_lag_s = 5.0
disk_free_mib = 1024
drift = true
replay = true
expect = []
expect_by = ""
heartbeat_s = 60.0
[alerts]
info = []
warning = []
critical = []
off = []
entries = true
exits = true
days = true
group_s = 2.0
repeat_s = 1800.0
per_hour = 60
quiet_from = ""
quiet_to = ""
quiet_below = "critical"
attempt_s = 15.0
retry_s = 5.0
retry_max_s = 300.0
give_up_s = 86400.0
down_after = 3
[dashboard]
enabled = true
host = "127.0.0.1"
port = 9465
names = []
password_hash = ""
viewer_password_hash = ""
controls = false
login_hours = 12.0
tls_certificate = ""
tls_key = ""
update_s = 0.5
verdicts = true
"""


def test_defaults_are_those_of_the_specification(shared_dir: Path) -> None:
    page = (shared_dir / "spec" / "strategy.md").read_text(encoding="utf-8")
    expected = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    for section, table in tomllib.loads(MORE).items():
        expected.setdefault(section, {}).update(table)
    assert tomllib.loads(DEFAULTS.read_text(encoding="utf-8")) == expected
