# make demo   train a compact tracker on rendered videos and show that it tracks
# make test   lint, types, tests
# make perf   how fast this machine tracks and trains, in ten minutes;
#             DATA=SEQUENCES MODELS=PEERS beside others (perf/short.py)
# make fuzz   hostile files on every reader, for an hour; SECONDS=60 for less
# make docs   the documentation, as pages in site/
# make clean  removes what was installed and built; runs/ stays
# All need Python >= 3.11 only; everything else goes to .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt

# make test EXTRAS=test,torch compares with PyTorch too; EXTRAS=test,tf,beam
# tests what needs TensorFlow
EXTRAS := test

.PHONY: demo test lint perf fuzz docs clean

# Large pages: docs/performance.md has what they bring.
demo: $(VENV)/installed
	GLIBC_TUNABLES=$${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1} \
	  $(BIN)/python -m siamkpn_jax.train_demo --output runs/demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: $(VENV)/installed-$(EXTRAS)
	$(BIN)/ruff check .
	$(BIN)/mypy

perf: $(VENV)/installed
	@$(PIP) --editable .[export]
	$(BIN)/python -m perf.short --output runs/perf \
	  $(if $(DATA),--data $(DATA)) $(if $(MODELS),--models $(MODELS))

SECONDS := 3600

fuzz: $(VENV)/installed-$(EXTRAS)
	$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS)

docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build --strict

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than Python 3.11; name another one:" \
	  "make PYTHON=python3.12"; exit 2; }
	@echo "setting up $(VENV) (a minute or two, the first time only)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .[train,eval]
	@touch $@

$(VENV)/installed-$(EXTRAS): $(VENV)/installed
	@$(PIP) --editable .[$(EXTRAS)]
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	@$(PIP) --editable .[docs]
	@touch $@

clean:
	rm -rf $(VENV) build site *.egg-info
