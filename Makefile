# Everything here needs python3 (3.11 or newer), git and make; all else is put into .venv.
# Stamps keep a second call quick; `make clean` forgets them.

# The first Python that is new enough and can make environments, else the first that is new enough.
PYTHON ?= $(shell \
	for needs in ", ensurepip, venv" ""; do \
		for p in python3.13 python3.12 python3.11 python3; do \
			if $$p -c "import sys$$needs; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1; then \
				echo $$p; exit; \
			fi; \
		done; \
	done)

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.stamp-venv
CORE  := $(VENV)/.stamp-core
DEV   := $(VENV)/.stamp-dev
TORCH := $(VENV)/.stamp-torch
RAY   := $(VENV)/.stamp-ray

TORCH_VERSION := torch==2.13.0

# uv is quick but knows nothing of pip's configuration; where only pip knows the way to the packages, pip goes.
install = $(BIN)/uv pip install -q --system-certs --python $(BIN)/python -c constraints.txt $(1) \
	|| { echo "uv could not install; trying with pip" >&2; $(BIN)/python -m pip install -q -c constraints.txt $(1); }

.PHONY: help demo check check-slow lint test lock clean

help:
	@echo "make demo        train a shipped agent (no key, no GPU)"
	@echo "make check       everything a change must pass: lint, then tests"
	@echo "make check-slow  the slow tests; installs torch and ray first"
	@echo "make lint        ruff, mypy, import rules"
	@echo "make test        pytest"
	@echo "make lock        write constraints.txt anew, with the newest versions that pyproject.toml allows"
	@echo "make clean       remove the environment, caches and builds"

demo: $(CORE)
	$(BIN)/agentsym optimize support_triage

check: lint test

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(DEV)
	$(BIN)/pytest

check-slow: $(DEV) $(TORCH) $(RAY)
	$(BIN)/pytest -m slow --timeout 1800

# Only what has been out for a week, so that a poisoned release is found by others first.
# Which build of torch fits is each machine's own matter, so torch and what only it needs are left out.
lock: $(READY)
	echo "$(TORCH_VERSION)" > $(VENV)/torch.txt
	$(BIN)/uv pip compile -q --system-certs --upgrade --exclude-newer "1 week" --all-extras --no-header --no-emit-index-url --no-annotate \
		--python-version 3.11 -c $(VENV)/torch.txt -o $(VENV)/lock.txt pyproject.toml >/dev/null
	grep -vE '^(torch|triton|nvidia-|cuda-)' $(VENV)/lock.txt > constraints.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find agentsym pipelines tools evals tests -name __pycache__ -type d -prune -exec rm -rf {} +

# `test` follows `lint` in `check`, also under make -j.
ifneq ($(filter check,$(MAKECMDGOALS)),)
test: lint
endif

$(READY):
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1; then \
		echo "agentsym needs Python 3.11 or newer, found: $$($(or $(PYTHON),python3) --version 2>&1 || true)." >&2; \
		echo "Install one (for example: apt install python3.11 python3.11-venv), or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi
	@existed=$$(test -e $(VENV) && echo yes); $(PYTHON) -m venv $(VENV) || { \
		test "$$existed" || rm -rf $(VENV); \
		echo "" >&2; \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu that part is a package of its own:" >&2; \
		echo "    sudo apt install python3-venv" >&2; \
		echo "Then run make again, or name another Python: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	}
	$(BIN)/python -m pip install -q "uv>=0.13,<0.14"
	@touch $@

$(CORE): $(READY) pyproject.toml constraints.txt
	$(call install,-e .)
	@touch $@

$(DEV): $(READY) pyproject.toml constraints.txt
	$(call install,-e ".[dev]")
	@touch $@

# By pip, so that a machine whose pip is set to a CPU build gets it: uv would take the CUDA one.
$(TORCH): $(READY) constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt $(TORCH_VERSION)
	@touch $@

# No part of dev: 272 MB for a handful of tests.
$(RAY): $(DEV)
	$(call install,-e ".[ray]")
	@touch $@
