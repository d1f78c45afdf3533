# Every verb of this repository. `make` lists them.
#
#   PORT (8000)   DATA_DIR (.switchyard)   AGENTS (2)   SLOTS (per agent)   DATABASE_URL   REDIS_URL
#   SWITCHYARD_LISTEN (none)   REDIS_PORT (6379, with SWITCHYARD_LISTEN)
#   are taken from the command line or the environment: make up PORT=8001 DATA_DIR=.second

.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RUN := $(VENV)/bin/python
# Django's settings ask where the services are; checks that need none are told of places that are not there.
NOWHERE := DATABASE_URL=postgresql://nobody@/nothing REDIS_URL=redis://127.0.0.1:1/0
# The tests of rules, simulation and the agent's core, which do no I/O.
PURE := tests/scheduling tests/simulation tests/core

.PHONY: help demo up down status test pure check bench faults soak lint

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: $(VENV)/installed ## start everything, run an example, show its result; it stays up
	@$(RUN) -m launch demo

up: $(VENV)/installed ## start everything and return when it is ready
	@$(RUN) -m launch up

down: ## stop what `make up` or `make demo` started
	@$(PYTHON) -m launch down

status: ## say what runs
	@$(PYTHON) -m launch status

test: $(VENV)/installed-dev ## check the import contracts and run all tests, on services of their own
	@$(VENV)/bin/lint-imports
	$(RUN) -m pytest $(ARGS)

pure: $(VENV)/installed-dev ## run the tests of the pure tier, without PostgreSQL and Redis
	$(NOWHERE) $(RUN) -m pytest -p no:launch.testing $(PURE) $(ARGS)

check: lint ## lint and run all tests
	$(RUN) -m pytest $(ARGS)

lint: $(VENV)/installed-dev ## format, lint, types, import contracts, Django's own checks
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(NOWHERE) $(RUN) -m mypy .
	$(VENV)/bin/lint-imports
	$(NOWHERE) $(RUN) manage.py check
	$(RUN) -m launch services -- $(RUN) manage.py makemigrations --check --dry-run

bench: $(VENV)/installed-dev ## measure; WORKLOAD=name runs one
	$(RUN) -m bench $(WORKLOAD)

faults: $(VENV)/installed-dev ## kill and cut real processes, often, with work in flight
	$(RUN) -m pytest -m faults $(ARGS)

soak: $(VENV)/installed-dev ## run the control plane in virtual time with many seeds; SEEDS=10000 FROM=1
	$(RUN) -m switchyard.simulation --seeds $(or $(SEEDS),10000) --from $(or $(FROM),1)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Switchyard needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing packages into $(VENV), this takes a minute"
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
