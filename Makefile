# make run   set everything up and start Answerdesk on http://127.0.0.1:8000
# make test  the same environment with the test tools: lint, types, import contracts, every test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Extra options for pip, for example an index with CPU-only builds of torch (see the README).
PIP_FLAGS ?=

.PHONY: run test install install-dev lint fix bench clean

run: $(VENV)/installed
	$(BIN)/answerdesk serve --sample

test: lint $(VENV)/installed-dev
	$(BIN)/pytest --cov --cov-report=term:skip-covered

install: $(VENV)/installed

install-dev: $(VENV)/installed-dev

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.golden

$(VENV)/python-checked:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "Answerdesk needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch first and by itself: pip then finds it installed and does not replace it with another build.
$(VENV)/installed: $(VENV)/python-checked pyproject.toml constraints.txt
	$(BIN)/pip install --quiet $(PIP_FLAGS) -c constraints.txt torch
	$(BIN)/pip install --quiet $(PIP_FLAGS) -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
