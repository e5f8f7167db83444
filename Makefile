# Two commands do everything, on a machine with only Python 3.11 or later and make: `make demo`, `make test`.
# A third, `make test-frameworks`, installs PyTorch, Keras and others, and tests featviz with their networks.

PYTHON ?= python3
# Tests at a time: `auto` is one a core.
JOBS ?= auto
# Each process begins with a part of the tests in their order, so that what a file compiles is compiled once.
PYTEST := -m pytest -q -n $(JOBS) --dist worksteal
# Tests compile much and compute little: XLA's options for programs that are compiled soon and run slowly, as far as this
# version knows them. The values are equal up to rounding.
QUICK = XLA_FLAGS="$(XLA_FLAGS) $$($(BIN)/python -c '$(QUICK_OPTIONS)')"
QUICK_OPTIONS := import featviz.common.compilation as c; print(*[f"--{k}={v}" for k, v in c.quick_options().items()])

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Stamps in the environment: they go when it goes, and a second call installs nothing.
INSTALLED := $(VENV)/.featviz-installed
TESTABLE := $(VENV)/.featviz-testable
FRAMEWORKS := $(VENV)/.featviz-frameworks
DOCUMENTABLE := $(VENV)/.featviz-documentable
# `make docs OFFLINE=1` asks no other project's site for the addresses of its pages.
OFFLINE ?=

.PHONY: help demo test test-slow test-frameworks docs docs-links lint venv clean distclean
.DEFAULT_GOAL := help

help:
	@echo "make demo       draws what every unit of the built-in network looks for, as a site in demo/"
	@echo "make test       runs the tests, JOBS=$(JOBS) at a time"
	@echo "make test-slow  runs the tests that take long and are rarely needed"
	@echo "make test-frameworks  installs PyTorch, Keras, ONNX and others (about a gigabyte), and runs the tests that need them"
	@echo "make docs       builds the documentation site, and runs its notebooks, in docs/_build/html"
	@echo "make docs-links looks whether what the site links to is there"
	@echo "make lint       ruff, mypy and codespell"
	@echo "make clean      removes what these have written, but for $(VENV)"
	@echo "make distclean  removes $(VENV) too"
	@echo "Another Python: make PYTHON=python3.12 demo"

# Every unit with its picture and page; one layer with full pages.
demo: $(INSTALLED)
	$(BIN)/featviz demo -o demo
	@echo "Open the address above in a browser: every unit of the built-in network, with a picture of what excites it."

# What is promised to the bit, compiled as users compile it.
SAMENESS := $(addprefix tests/ascent/,test_lanes_sameness.py test_program_set_options.py)

test: $(TESTABLE)
	$(QUICK) $(BIN)/python $(PYTEST) $(addprefix --ignore=,$(SAMENESS)) -m "not frameworks and not slow"

# Of things that are slow by nature and rarely touched.
test-slow: $(TESTABLE)
	$(QUICK) $(BIN)/python $(PYTEST) tests $(addprefix --ignore=,$(SAMENESS)) -m "slow and not frameworks"
	$(BIN)/python $(PYTEST) $(SAMENESS)

test-frameworks: $(FRAMEWORKS)
	$(QUICK) $(BIN)/python $(PYTEST) tests -m frameworks

# A notebook that fails, a link that leads nowhere or a docstring that cannot be read ends the build.
SPHINX = $(BIN)/python -m sphinx $(if $(OFFLINE),-t offline)
docs: $(DOCUMENTABLE)
	$(SPHINX) -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

docs-links: $(DOCUMENTABLE)
	$(SPHINX) -b linkcheck -D nb_execution_mode=off docs docs/_build/links

lint: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

# The environment with all that tests and linters need.
venv: $(TESTABLE)

$(INSTALLED): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing featviz into $(VENV); the first time takes a minute or two."
	@$(PIP) install --editable .
	@touch $@

$(TESTABLE): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing featviz and its tests' tools into $(VENV); the first time takes a minute or two."
	@$(PIP) install --editable ".[test]"
	@touch $@ $(INSTALLED)

$(FRAMEWORKS): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing featviz, its tests' tools and all frameworks into $(VENV); the first time takes some minutes."
	@$(PIP) install --editable ".[test,frameworks]"
	@touch $@ $(TESTABLE) $(INSTALLED)

$(DOCUMENTABLE): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing featviz and what builds its site into $(VENV); the first time takes some minutes."
	@$(PIP) install --editable ".[docs]"
	@touch $@ $(INSTALLED)

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || \
	  { echo "There is no $(PYTHON); featviz needs Python 3.11 or later: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); featviz needs 3.11 or later: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
	  { echo "$(PYTHON) lacks its venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf demo featviz-demo build dist docs/_build docs/api featviz.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find featviz tests experiments benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
