# `make` explains itself. STACK=native|docker chooses how the local stack runs (docker when an engine answers).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup up down status logs demo fmt lint types test acceptance year mutants check docs compose wheel lock chaos scene

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
STACK_OPTION := $(if $(STACK),--stack $(STACK))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv from the lock (again only when the lock changed)

$(READY): requirements/tieline.lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing: install Python 3.11 or newer, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); Tieline needs 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/tieline.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

up: setup ## Start the whole hub with demo systems, wait until it is healthy; WITH=snipeit adds further sandboxes
	@$(BIN)/python -m tieline.stack up $(STACK_OPTION) $(if $(WITH),--with $(WITH))

down: setup ## Stop what `up` started; PURGE=1 also removes its data
	@$(BIN)/python -m tieline.stack down $(STACK_OPTION) $(if $(PURGE),--purge)

status: setup ## Show each part, its address and its log
	@$(BIN)/python -m tieline.stack status $(STACK_OPTION)

logs: setup ## Show the end of the logs; PART="kafka accept" chooses
	@$(BIN)/python -m tieline.stack logs $(PART) $(STACK_OPTION)

demo: up ## Walk through a day: purchase, move, maintenance, depreciation, disposal, a foreign edit
	@$(BIN)/tieline demo day

fmt: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

lint: setup ## Formatting, style, topics and schemas
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/tieline topics lint

types: setup ## mypy --strict
	$(BIN)/mypy

test: setup ## Every test, with real Kafka, registry and ERP; ONLY=docker: only those so marked
	$(BIN)/pytest --numprocesses 3 --no-loadscope-reorder $(if $(ONLY),-m $(ONLY))

acceptance: setup ## The long sizes: 400 real orders, 50,000 reports, an outage of five minutes (an hour)
	TIELINE_ORDERS=400 TIELINE_LOAD=50000 TIELINE_OUTAGE_SECS=300 $(BIN)/pytest tests/main_job tests/hard/test_adventureworks.py tests/load

mutants: setup ## Take out each line that keeps an invariant or a rule, and see a test fail (10 minutes)
	$(BIN)/python tests/mutation/run.py

year: setup ## A synthetic year through the hub, checked to 0.00; ASSETS=50000 MONTHS=12 BOOK_REPORTS=12|4|1 SEED=1
	TIELINE_SYNTHETIC_ASSETS=$(or $(ASSETS),2000) TIELINE_SYNTHETIC_MONTHS=$(or $(MONTHS),12) \
	TIELINE_SYNTHETIC_BOOK_REPORTS=$(or $(BOOK_REPORTS),12) TIELINE_SYNTHETIC_SEED=$(or $(SEED),1) $(BIN)/pytest tests/hard/test_year.py

chaos: setup ## Kill, freeze, bounce and cut on three brokers, and check what came of it; EVENTS=300 KILLS=12 SEED=1 PART= or BROKEN=
	$(BIN)/python -m tests.chaos --events $(or $(EVENTS),300) --kills $(or $(KILLS),12) --seed $(or $(SEED),1) $(if $(PART),--part $(PART)) $(if $(BROKEN),--broken $(BROKEN))

scene: setup ## One promise at size: NAME=malformed|backlog|evictions|commits|storm SIZE=20000
	$(BIN)/python -m tests.scenes $(or $(NAME),--help) $(if $(SIZE),--size $(SIZE))

check: lint types ## What must hold before a commit: lint, types, generated files
	$(BIN)/python -m tieline.stack.compose --check
	$(BIN)/tieline topics catalogue --landscape deploy/local/landscape.yaml --check

docs: setup ## Write the generated files anew
	@$(BIN)/python -m tieline.stack.compose
	@$(BIN)/tieline topics catalogue --landscape deploy/local/landscape.yaml

compose: docs

wheel: setup ## Build the wheel into dist/: schemas, topics and connectors included
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lock: ## Resolve every dependency anew (needs uv and the network)
	@command -v uv >/dev/null || { echo "make: uv is missing: pip install uv" >&2; exit 1; }
	uv pip compile pyproject.toml --all-extras --group dev $(LOCKED) -o requirements/tieline.lock
	uv pip compile pyproject.toml requirements/build.in --extra views $(LOCKED) -c requirements/tieline.lock -o requirements/runtime.lock
	uv pip compile requirements/tryton.in $(LOCKED) -o requirements/tryton.lock
	$(MAKE) setup
	$(BIN)/python -m tieline.stack lock

# Hashes, one lock for every platform, no registry's name.
LOCKED := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
