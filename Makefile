# Everything this project does from the outside. `make` alone lists it.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
STAMP  := $(VENV)/.installed-$(shell cat settings.ini setup.py constraints.txt | cksum | cut -d" " -f1)
JOBS   ?= 2
PROFILE ?= mini

.DEFAULT_GOAL := help
.PHONY: help install reproduce test export docs lab clean check-python

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

check-python:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "reid_nb needs Python 3.10 or newer, with venv; '$(PYTHON)' is not. Name another: make PYTHON=/path/to/python3"; exit 1; }

# An environment of its own. Its stamp carries a checksum of what was asked for, and is written last, so that an installation that
# broke off starts again, and one that stands is not repeated.
$(STAMP): | check-python
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	@echo "installing reid_nb and what it needs into $(VENV) (a few minutes)"
	$(PIP) -e '.[repro,dev]'
	@touch $@

$(STAMP)-docs: $(STAMP)
	$(PIP) -e '.[docs]'
	@touch $@

install: $(STAMP) ## make the environment (the other commands do it themselves)

reproduce: $(STAMP) ## run what the book can reproduce so far (PROFILE=mini, JOBS=2, ARGS='--paper finegpr')
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/reid-nb reproduce --profile $(PROFILE) --jobs $(JOBS) $(ARGS)

test: $(STAMP) ## all tests: notebooks equal library, notebooks run, pytest, the wheel in a clean environment
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile
	$(BIN)/nbdev-test --n-workers $(JOBS)
	PYTHON=$(BIN)/python VENV=$(VENV)-wheel bash tests/wheel.sh

export: $(STAMP) ## write the library from the notebooks, and clean the notebooks
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean

docs: $(STAMP)-docs ## build the site into site/
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python docs/build.py

lab: $(STAMP) ## open the book in JupyterLab
	$(BIN)/jupyter lab nbs

clean: ## remove environments, builds and runs (figures/ and REID_CACHE stay)
	rm -rf $(VENV) $(VENV)-wheel build dist *.egg-info site runs .pytest_cache .hypothesis .snakemake
	find . \( -name __pycache__ -o -name .hypothesis -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +
