# Everything a person or CI does here has a name; a bare `make` lists the names.
# A fresh machine needs git, make and Python 3.11 or newer; the targets install the rest into .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A python3 that is too old does not count; set PYTHON to choose one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
OTHER_VENV = build/$(notdir $(PYTHON))
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest

# What a version of Python changes first: loops and threads, annotations, the database driver, source and tracebacks.
OF_THE_VERSION := $(addprefix tests/,activity converter engine notebook runtime store worker)

.PHONY: help venv dev demo lab test test-fast test-slow test-python chromium lint format types layers readme bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

# -- set-up ------------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/apt python3-venv
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages: nothing is installed twice.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing durable_nb into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-lab: $(VENV)/.installed
	@echo "Installing JupyterLab into $(VENV) ..."
	@$(PIP) install --editable '.[lab]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) ..."
	@$(PIP) install --editable '.[dev,lab]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need into $(VENV) ..."
	@$(PIP) install --no-compile --editable '.[test]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "Installing DBOS into $(VENV) for the comparison ..."
	@$(PIP) install --editable '.[bench]'
	@touch $@

venv: $(VENV)/.installed ## create .venv with durable_nb in it
dev: $(VENV)/.installed-dev ## the same with the tools for tests, lint and types

# -- see it work -------------------------------------------------------------------------------------------------------

demo: $(VENV)/.installed ## run the first notebook, kill its kernel in the middle, go on in a new one
	@$(BIN)/python -m notebooks.demo

lab: $(VENV)/.installed-lab ## open JupyterLab on the first notebook
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_first_success.ipynb

# -- checks ------------------------------------------------------------------------------------------------------------

test: ## all tests: fast ones first, then crash and notebook tests
	@$(MAKE) --no-print-directory test-fast
	@$(MAKE) --no-print-directory test-slow

# Where it cannot be installed the browser tests are skipped, and say so.
chromium: ## install Chromium for the browser tests (Debian, Ubuntu)
	@command -v chromium chromium-browser google-chrome >/dev/null || .ci/apt chromium || true

test-fast: $(VENV)/.installed-dev ## only the fast tests, in parallel (WORKERS=2)
	$(PYTEST) -q -m 'not slow' -n $(WORKERS)

test-slow: $(VENV)/.installed-dev chromium ## only the slow tests, a file at a time in each of the WORKERS
	$(PYTEST) -q -m slow -n $(WORKERS) --dist loadfile --durations=10

test-python: ## fast tests of what depends on the version of Python, on another one: make test-python PYTHON=python3.13
	@$(MAKE) --no-print-directory $(OTHER_VENV)/.installed-test VENV=$(OTHER_VENV) PYTHON=$(PYTHON)
	$(OTHER_VENV)/bin/python -m pytest -q -m 'not slow' -n $(WORKERS) $(OF_THE_VERSION)

lint: $(VENV)/.installed-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.installed-dev ## which part may import which
	$(BIN)/lint-imports

readme: $(VENV)/.installed ## run every command of the README
	@.ci/readme

bench: $(VENV)/.installed-bench ## the workloads, beside DBOS where it has them, with this machine's own limits; BENCH='--quick' to pass options
	$(BIN)/python -m benchmarks --vs dbos --json build/benchmarks.json $(BENCH)

clean: ## remove what the targets made (not .venv)
	rm -rf .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
