# `make demo` and `make test` need nothing but Python >= 3.10 and the package index.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test test-slow lint types layers unit clean

demo: .venv/installed
	$(BIN)/ganvas train -m experiment=demo model=gan,wgan_gp,vae

test: lint types layers unit

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

layers: .venv/installed-dev
	$(BIN)/lint-imports

unit: .venv/installed-dev
	$(BIN)/pytest -m "not slow"

test-slow: .venv/installed-slow
	$(BIN)/pytest -m slow

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) .
	touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) '.[dev]'
	touch $@

.venv/installed-slow: .venv/installed-dev
	$(INSTALL) '.[joblib,slurm,postgres,mysql]'
	touch $@

clean:
	rm -rf .venv build dist outputs mlruns mlflow.db
