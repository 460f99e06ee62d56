# `make demo` and `make test` need nothing but Python >= 3.10 and the package index.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Processes of a suite, each with one thread: trainings with a thread for every core would slow each other.
WORKERS ?= 2

# Ray's launcher wants an older cloudpickle than joblib: an environment of its own, over .venv's packages.
RAY := .venv-ray

.PHONY: demo test test-slow test-gpu test-ray bench lint types layers unit clean

demo: .venv/installed
	$(BIN)/ganvas train -m experiment=demo_gan,demo_wgan_gp,demo_vae

test: lint types layers unit

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

layers: .venv/installed-dev
	$(BIN)/lint-imports

unit: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" --numprocesses $(WORKERS) --dist loadfile

test-slow: .venv/installed-slow
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow --numprocesses $(WORKERS) --dist loadfile

# On a machine with an NVIDIA GPU: four minutes with WORKERS=14 on one card.
test-gpu: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -m gpu --numprocesses $(WORKERS) tests/test_gpu.py

test-ray: $(RAY)/installed
	$(RAY)/bin/python -m pytest -m slow tests/sweeps/test_launchers.py -k ray

# An hour and a half on two idle cores; `python scripts/benchmark.py PART` measures one part.
bench: .venv/installed-slow
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps 'pythae>=0.1.2' imageio
	$(BIN)/python scripts/benchmark.py --write

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) .
	touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) '.[dev]'
	touch $@

.venv/installed-slow: .venv/installed-dev
	$(INSTALL) '.[joblib,slurm,postgres,mysql,docs,onnx,privacy,tensorboard,wandb,browser]'
	touch $@

$(RAY)/installed: .venv/installed-dev
	$(PYTHON) -m venv --without-pip $(RAY)
	$(BIN)/python -c "import site; print('import site; site.addsitedir(%r)' % site.getsitepackages()[0])" \
		> "$$($(RAY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/base.pth"
	$(BIN)/pip --python $(RAY)/bin/python install --quiet --disable-pip-version-check 'hydra-ray-launcher>=1.2'
	touch $@

clean:
	rm -rf .venv $(RAY) build dist outputs mlruns mlflow.db* sweeps.db*
