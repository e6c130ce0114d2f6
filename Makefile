# The commands of the README, each doing all the set-up itself: `make demo`, `make serve` and `make test`.
# They need Python 3.11 or later and make; PYTHON=... chooses another interpreter than the first one found.

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3 python,$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(p))))
VENV   := .venv
# Tests that wait for processes and sockets leave a core idle: half as many workers again as there are cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 2) * 3 // 2)' 2>/dev/null || echo 3)
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo serve test lint bench clean

demo: $(READY)
	@$(BIN)/python examples/demo.py

# The server on this machine; ARGS='--port 8080' and the like are passed on.
serve: $(READY)
	@$(BIN)/overpaint serve $(ARGS)

# Bytecode is kept even where the environment says otherwise: tests start hundreds of processes that import the same.
test: lint
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(READY)
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy --no-error-summary

bench: $(READY)
	@$(BIN)/python -m benchmarks.pixels
	@$(BIN)/python -m benchmarks.fill
	@$(BIN)/python -m benchmarks.batch
	@$(BIN)/python -m benchmarks.detail

# The stamp is written last, so that an interrupted set-up is begun again instead of being taken for a finished one.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Overpaint needs Python 3.11 or later; none was found (set PYTHON=/path/to/python3.11)"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (once; a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@PIP_CONSTRAINT= $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt 'pip>=25.1'
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group test --group lint --group bench -e .
# without torchvision, which spandrel asks for and which is not needed: its build for GPUs would not go with torch's for CPUs
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -c constraints.txt spandrel spandrel_extra_arches einops
	@touch $@

clean:
	rm -rf $(VENV) dist build demo bench-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
