# Every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-paper demo-live demo-evidence demo-monitor demo-dashboard test check lint types warm storm bench bench-peers official-client lock format clean

PYTHON ?= python3
BIN := .venv/bin
# One a core: with three a run takes no less, and sessions in time meet a load that they were not made for.
WORKERS := 2
DEMO := build/demo
# A day that meets every kind of exit.
DEMO_SEED := 55
# Angel One's own client clashes with ours, so it has an environment of its own.
ANGELONE := build/angelone-env
ANGELONE_PACKAGES := smartapi-python==1.5.5 logzero==1.7.0 websocket-client==1.9.2 pyotp==2.12.0

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.venv/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
		echo "error: $(PYTHON) could not make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

setup: .venv/.ready ## create .venv from the locked requirements (does nothing when it is current)

demo: setup ## generate a day of option ticks, backtest it with ten lakh, say where the report is
	@mkdir -p $(DEMO)
	$(BIN)/myquant ticks generate $(DEMO)/nifty_option_day.csv --seed $(DEMO_SEED) --force
	$(BIN)/myquant backtest $(DEMO)/nifty_option_day.csv --set capital.initial_capital=1000000

demo-paper: setup ## play the same day in the lab, trade it in a paper session, replay it
	$(BIN)/python examples/sessions/demo_paper.py --seed $(DEMO_SEED)

demo-live: setup ## trade some minutes on paper, then with orders at the lab, and hold them against its book
	$(BIN)/python examples/sessions/demo_live.py --seed $(DEMO_SEED)

demo-evidence: setup ## measure the plain pipeline, switch on what is worth it, prove it, measure again
	$(BIN)/python examples/evidence/demo_evidence.py --seed $(DEMO_SEED)

demo-monitor: setup ## kill a session that the monitor watches, see the alert arrive, and its end
	$(BIN)/python examples/monitoring/demo_monitor.py --seed $(DEMO_SEED)

demo-dashboard: setup ## trade a day in the lab, watch it in a browser: prints the link, until Ctrl-C
	$(BIN)/python examples/dashboard/demo_dashboard.py --seed $(DEMO_SEED)

warm: setup # compile the engine once, on two cores, so that parallel tests find it
	@$(BIN)/python tests/warm.py

test: setup warm ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: setup ## what CI runs: format, lint, imports, types, tests
	$(MAKE) lint
	$(MAKE) warm
	$(MAKE) --jobs=2 types test

lint: setup # a second or two, so they come first
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: setup # beside the tests, which wait much
	$(BIN)/mypy

storm: setup warm ## hours: 100,000 orders under faults in virtual time, and 10,000 kills
	MYQUANT_LONG=1 $(BIN)/python -m pytest -p no:randomly tests/laws/test_broker_storm.py tests/laws/test_broker_kills.py

format: setup ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure: the engine against its C limit and its peers, memory, start-up
	$(BIN)/python -m bench.run

bench-peers: setup ## make the peers' own environments (bench/.env-*), which `make bench` then includes
	bash bench/peers/setup.sh

$(ANGELONE)/.ready:
	$(PYTHON) -m venv $(ANGELONE)
	$(ANGELONE)/bin/python -m pip install --quiet --disable-pip-version-check $(ANGELONE_PACKAGES)
	@touch $@

official-client: setup $(ANGELONE)/.ready ## hold the lab against Angel One's own client (in build/angelone-env)
	$(BIN)/python -m pytest tests/lab/test_official_client.py

lock: setup ## pin every dependency anew (needs uv; it is a development dependency)
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev --quiet --no-header \
		-o requirements.lock pyproject.toml

clean: ## remove what can be made again
	rm -rf .venv build runs bench/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
