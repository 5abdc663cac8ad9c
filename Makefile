# Everything that is done with this project. Needs Python 3.11+, make and a package index.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin

# Real event logs, where they lie beside the project; tests that need them are skipped elsewhere.
export STREAMAPP_TEST_DATA ?= $(wildcard $(CURDIR)/../shared/data)

# More arguments for pytest or the benchmark: make test ARGS='-k lists -x'
ARGS ?=

# Tests mostly wait for servers and stories of faults for timeouts, so several run at a time; what
# measures time runs alone afterwards. pytest ends with 5 where ARGS choose none of a kind; where
# they choose none at all, nothing was tested.
TOGETHER := --ignore tests/faults --numprocesses 2 -m 'not alone
ALONE := --ignore tests/faults -m 'alone
FAULTS := tests/faults --numprocesses 3
IN_TWO = @chosen=; \
	run() { echo "$(BIN)/pytest $$*"; $(BIN)/pytest "$$@" && chosen=1 || test $$? -eq 5; }; \
	run $(TOGETHER)$(1)' $(ARGS) && run $(ALONE)$(1)' $(ARGS) && test -n "$$chosen"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup lint types test test-kafka test-faults test-faults-kafka test-docker chaos mutants demo bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.checks ## Make .venv with the app, its embedded servers and what checks it

lint: $(VENV)/.checks ## Check the form of the code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.checks ## Check the types
	$(BIN)/mypy $(wildcard streamapp loadtest demo tests)

test: $(VENV)/.checks ## Run all tests but the fault suite, on the embedded servers
	$(call IN_TWO,)

test-kafka: export STREAMAPP_TEST_LANE := kafka
test-kafka: $(VENV)/.checks ## Run the tests that use servers on Apache Kafka and Redis (Java 17, Maven)
	$(call IN_TWO, and servers)

test-faults: $(VENV)/.checks ## Run the fault suite: what dies, and what survives it
	$(BIN)/pytest $(FAULTS) $(ARGS)

test-faults-kafka: $(VENV)/.checks ## Run the stories that Apache Kafka tells otherwise
	STREAMAPP_TEST_LANE=kafka $(BIN)/pytest $(FAULTS) -m kafka $(ARGS)

test-docker: $(VENV)/.checks ## Run the tests that use servers on containers, where Docker answers
	@if reason=$$($(BIN)/python -m tests.servers docker 2>&1); then \
		STREAMAPP_TEST_LANE=docker $(BIN)/pytest -m servers $(ARGS); \
	else \
		echo "NOTHING WAS TESTED. The lane docker cannot run here: $$reason"; \
	fi

# What chaos does, for how long, and to which servers.
SEED ?= 1
MINUTES ?= 5
LANE ?= embedded

chaos: $(VENV)/.checks ## Random faults under load, by SEED, for MINUTES, on LANE (embedded, kafka)
	$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES) --lane $(LANE) $(ARGS)

# How many mutants of the code the quick tests are tried on; those of a SEED are the same again.
COUNT ?= 200

mutants: $(VENV)/.mutants ## Break COUNT lines, drawn by SEED, and see whether the quick tests notice
	$(BIN)/python -m tests.mutants --seed $(SEED) --count $(COUNT) $(ARGS)

demo: $(VENV)/.app ## Replay real events through the app and show its lists
	$(BIN)/python -m demo

bench: $(VENV)/.bench ## Run the benchmark; its report goes to build/bench.html
	mkdir -p build
	$(BIN)/python -m loadtest bench --json build/bench.json --html build/bench.html $(ARGS)

clean: ## Remove all that make made
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Modules are compiled when they are first imported: most of what is installed never is.
$(VENV)/.app: pyproject.toml
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3' >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --editable '.[embedded]'
	$(BIN)/python -m streamapp.worker.warm
	@touch $@

# Dependency groups need a newer pip than Python 3.11 brings.
$(VENV)/.checks: $(VENV)/.app
	$(BIN)/python -m pip install --quiet --no-compile --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --no-compile --group lint --group test
	@touch $@

$(VENV)/.mutants: $(VENV)/.checks
	$(BIN)/pip install --quiet --no-compile --group mutants
	@touch $@

# Quix Streams holds back versions of pydantic; the app and its checks work with those too.
$(VENV)/.bench: $(VENV)/.checks
	$(BIN)/pip install --quiet --no-compile --group bench
	@touch $@
