# Two commands do everything on a machine with Python >= 3.11, g++, cmake and make:
#   make demo    train a digit classifier in Gluon, deploy it from Python and from C++, compare
#   make test    every check: format, lint, types, import contracts, C++ build and tests, Python tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test setup lint types imports cpp cpp-demo pytest bench docs coverage clean

demo: $(STAMP) cpp
	$(BIN)/python samples/digits/demo.py

test: lint types imports demo cpp-demo pytest

setup: $(STAMP)

# The environment is made again whenever what it is made from changes.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

docs: $(STAMP)
	$(BIN)/python docs/make_docs.py

# How much of what real programs call there is.
coverage: $(STAMP)
	$(BIN)/python docs/operator_coverage.py

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python docs/make_docs.py --check

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

cpp: $(STAMP)
	cpp_loader/build.sh $(abspath $(BIN))/python

# The C++ tests once more, with the model that the demo has just exported.
cpp-demo: demo
	GLUONNX_DEMO_DIR=$(abspath samples/digits/out) cpp_loader/build.sh $(abspath $(BIN))/python

pytest: $(STAMP) cpp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

bench: $(STAMP)
	$(BIN)/python tests/bench/run.py

clean:
	rm -rf $(VENV) .deps cpp_loader/build build
