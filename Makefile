# Common tasks; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPEC ?= experiments/digits.toml
NAME ?= digits
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Each of the tests' processes would compile every module again if the environment tells Python to write no bytecode.
KEEP_BYTECODE := PYTHONDONTWRITEBYTECODE=
PYTEST := $(KEEP_BYTECODE) $(BIN)/python -m pytest --numprocesses auto --dist worksteal --durations 15
# What the installed metadata state: dependencies, and the version.
DECLARED := pyproject.toml constraints.txt $(wildcard study/__init__.py)
# These tests wait for processes and servers more than they compute.
WAITING := --numprocesses 6

.DEFAULT_GOAL := help
.PHONY: help setup study test test-all test-faults test-documents test-ci test-fast coverage check format bench bench-engine bench-jobs bench-ours bench-quality bench-plan \
	bench-scaling lessons docs ui report clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: $(VENV)/.ready ## create .venv only

study: $(VENV)/.ready ## run the default study (SPEC=other.toml for another)
	$(BIN)/study run $(SPEC)
	@command -v study > /dev/null || echo '`study` is in $(BIN); `source $(BIN)/activate` puts it on the path.'

test: $(VENV)/.ready-dev ## run the tests
	$(PYTEST)

test-all: $(VENV)/.ready-dev ## run all tests, in more combinations
	$(PYTEST) -m ""

test-faults: $(VENV)/.ready-dev ## run the tests that kill processes, servers and clusters
	$(PYTEST) $(WAITING) -m "faults and not exhaustive"

test-documents: $(VENV)/.ready-dev ## run the commands in the documentation
	$(PYTEST) -m "documents and not exhaustive"

test-ci: $(VENV)/.ready-dev ## run test, test-faults and test-documents together, which takes less time
	$(PYTEST) --numprocesses 4 -m "not exhaustive"

test-fast: $(VENV)/.ready-dev ## run the fast tests
	$(PYTEST) --numprocesses 2 -m "not slow and not exhaustive and not documents and not faults"

coverage: $(VENV)/.ready-dev ## run the tests, and report the lines and branches that no test covers
	rm -rf .coverage
	$(KEEP_BYTECODE) $(BIN)/coverage run -m pytest --numprocesses auto --dist worksteal --quiet -m "not exhaustive"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(VENV)/.ready-dev ## check style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: bench-engine bench-jobs bench-ours bench-quality ## compare this project with its peers

bench-engine: $(VENV)/.ready-bench ## compare the engine's speed with scikit-learn, PyTorch and bare matrix products
	$(BIN)/python benchmarks/engine_speed.py

bench-jobs: $(VENV)/.ready-bench ## compare end-to-end runs with Optuna, PyTorch, Ray Tune and scikit-learn (75 minutes)
	$(BIN)/python benchmarks/jobs.py --json benchmarks/results/jobs.json
	$(BIN)/python benchmarks/page.py

bench-ours: $(VENV)/.ready-bench ## measure where our own time goes: startup, memory, profiles (10 minutes)
	$(BIN)/python benchmarks/ours.py --json benchmarks/results/ours.json
	$(BIN)/python benchmarks/page.py

bench-quality: $(VENV)/.ready-bench ## compare test accuracy after a minute of search with three peers (nearly 3 hours; can be interrupted)
	$(BIN)/python benchmarks/quality.py --json benchmarks/results/quality.json
	$(BIN)/python benchmarks/page.py

bench-plan: $(VENV)/.ready ## compare three studies with the run times that `study plan` estimates
	$(BIN)/python benchmarks/plan.py --constants

bench-scaling: $(VENV)/.ready-dev ## measure what a trial costs the coordinator, and how many workers it feeds (most of an hour)
	$(BIN)/python benchmarks/scaling.py --check 1 2 4 8 --rounds 60 --json benchmarks/results/scaling.json
	$(BIN)/python benchmarks/page.py

lessons: $(VENV)/.ready ## run the lessons of the course, and regenerate docs/lessons.md (a few minutes)
	$(BIN)/python -m experiments.lessons

docs: $(VENV)/.ready-docs ## build the site into site/
	$(BIN)/python docs/pages.py
	$(BIN)/mkdocs build --strict

ui: $(VENV)/.ready ## serve the MLflow UI on 127.0.0.1
	$(BIN)/study ui

report: $(VENV)/.ready ## write the report of a study as one HTML page (NAME=other for another study)
	$(BIN)/study report $(NAME)

clean: ## remove .venv and caches; keep mlruns/
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is required, but $(PYTHON) is $$($(PYTHON) -V 2>&1); try: make PYTHON=python3.11"; exit 2; }
	@echo "preparing $(VENV) (once, a minute or two)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(DECLARED) | $(VENV)/bin/python
	@$(PIP) --editable ".[hdf5]"
	@touch $@

$(VENV)/.ready-dev: $(DECLARED) | $(VENV)/bin/python
	@$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/.ready

$(VENV)/.ready-bench: $(DECLARED) | $(VENV)/bin/python
	@$(PIP) --editable ".[bench]"
	@touch $@

$(VENV)/.ready-docs: $(DECLARED) | $(VENV)/bin/python
	@$(PIP) --editable ".[docs]"
	@touch $@
