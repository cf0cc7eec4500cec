# Each target needs nothing run before it. The first one that needs it makes .venv;
# a change of pyproject.toml or of the constraints installs anew.

PYTHON ?= python3
PYTEST_ARGS ?= -n auto
# Of each test process; as many processes as cores, with as many threads each, wait for each other.
TEST_THREADS ?= 1
BENCH_ARGS ?=
GPU_ARGS ?=
DOCS_ARGS ?=

VENV := .venv
CONSTRAINTS := constraints.txt
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Installed on its own, first: later installs then leave the tested build alone.
TORCH := $(shell grep '^torch==' $(CONSTRAINTS))

.PHONY: demo test quick test-minimum test-ecosystem ecosystem lint docstrings format bench gpu docs clean
.NOTPARALLEL:

demo: $(VENV)/demo.stamp
	$(BIN)/python examples/quickstart.py

test: $(VENV)/test.stamp
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m pytest $(PYTEST_ARGS)

# What a contributor runs before a commit: all but what takes long.
quick: $(VENV)/test.stamp
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS) tests

# The suite with the oldest versions that pyproject.toml allows, in an environment of its own.
test-minimum:
	$(MAKE) test VENV=.venv-minimum CONSTRAINTS=constraints-minimum.txt

# What runs with Optuna, skrub, SHAP and others, in an environment of its own: see docs/ecosystem.rst.
test-ecosystem:
	$(MAKE) ecosystem VENV=.venv-ecosystem CONSTRAINTS=constraints-ecosystem.txt

ecosystem: $(VENV)/ecosystem.stamp
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m pytest -rs tests/test_ecosystem.py tests/test_activations.py

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python sknn_basics/estimators/_base/docstrings.py --check
	$(BIN)/codespell
	$(BIN)/python docs/check_words.py

docstrings: $(BIN)/python
	$(BIN)/python sknn_basics/estimators/_base/docstrings.py

format: $(VENV)/lint.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# On a machine with a GPU: its tests, and its rows of the benchmarks, which go into the docs.
# GPU_ARGS="--device cpu" tries the tests out where there is none.
gpu: $(VENV)/test.stamp $(VENV)/bench.stamp
	$(BIN)/python -m pytest -m cuda $(GPU_ARGS) tests/test_cuda.py
	$(BIN)/python -m benchmarks --only "gpu-*" --runs 1 --rounds 1 --write

bench: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: $(VENV)/docs.stamp
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m sphinx -b html -W --keep-going $(DOCS_ARGS) docs docs/_build/html

clean:
	rm -rf .venv .venv-minimum .venv-ecosystem docs/_build docs/api docs/auto_examples build dist *.egg-info .pytest_cache .ruff_cache .hypothesis *_output
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/lint.stamp: $(CONSTRAINTS) $(BIN)/python
	$(PIP) install -c $(CONSTRAINTS) codespell ruff
	touch $@

$(VENV)/demo.stamp: EXTRAS := plot,progress
$(VENV)/test.stamp: EXTRAS := test
$(VENV)/bench.stamp: EXTRAS := bench
$(VENV)/docs.stamp: EXTRAS := docs
$(VENV)/ecosystem.stamp: EXTRAS := ecosystem
$(VENV)/%.stamp: pyproject.toml $(CONSTRAINTS) $(BIN)/python
	$(PIP) install $(TORCH)
	$(PIP) install -c $(CONSTRAINTS) -e ".[$(EXTRAS)]"
	touch $@
