# Every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check warm bench bench-peers lock format clean

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo
# A day that meets every kind of exit.
DEMO_SEED := 55

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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

warm: setup # compile the engine once, so that parallel tests find it
	@$(BIN)/python tests/warm.py

test: setup warm ## run the tests
	$(BIN)/python -m pytest -n 2

check: setup ## what CI runs: format, lint, types, imports, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: setup ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure: the engine against its C limit and its peers, memory, start-up
	$(BIN)/python -m bench.run

bench-peers: setup ## make the peers' own environments (bench/.env-*), which `make bench` then includes
	bash bench/peers/setup.sh

lock: setup ## pin every dependency anew (needs uv; it is a development dependency)
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev --quiet --no-header \
		-o requirements.lock pyproject.toml



clean: ## remove what can be made again
	rm -rf .venv build runs bench/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
