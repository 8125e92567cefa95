# Every verb works on a machine that has only git, make and Python 3.11 or newer with venv and pip.
# Options for the command behind a verb go into ARGS: make test ARGS='-k sse', make run ARGS='--workers 2'.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run compile test fuzz soak lint bench docs openapi lock clean

ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := build/compiled
COMPILED_STAMP := $(COMPILED)/.made

is_new_enough := import sys; sys.exit(sys.version_info < (3, 11))
makes_venvs := import venv, ensurepip

# The newest interpreter that can make environments, or else the newest, which `setup` then complains about.
PYTHON ?= $(shell \
	for needs in '$(makes_venvs); $(is_new_enough)' '$(is_new_enough)'; do \
		for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
			if "$$name" -c "$$needs" >/dev/null 2>&1; then echo "$$name"; exit; fi; \
		done; \
	done)

help: ## List the verbs.
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## Create .venv from the hashed lock file, with the project itself in it.

run: setup ## Start the gateway, compiled if it is (ARGS: options of `inference-gateway serve`).
	@if $(MAKE) --question $(COMPILED_STAMP) 2>/dev/null; then export PYTHONPATH=$(COMPILED); \
		elif [ -e $(COMPILED_STAMP) ]; then echo 'make run: $(COMPILED) is out of date: running as Python' >&2; fi; \
	exec $(BIN)/inference-gateway serve $(ARGS)

compile: $(COMPILED_STAMP) ## Compile the busiest modules (needs a C compiler and Python's headers).

test: setup ## Run every test (ARGS: options of pytest).
	@exec $(BIN)/python -m pytest $(ARGS)

fuzz: setup ## Search for bytes that the server reads wrongly, for a minute (ARGS: options of libFuzzer).
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@exec env PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz_server.py $(ARGS)

soak: setup ## Break a provider at random for five minutes, count what is left (ARGS: seconds, clients, seed).
	@exec env PYTHONPATH=tests $(BIN)/python -m soak.run $(ARGS)

lint: setup ## Check style, format and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup ## Measure the gateway beside nginx and a floor prototype (ARGS: see benchmarks/README.md).
	@exec $(BIN)/python -m benchmarks $(ARGS)

docs: setup ## Write docs/configuration.md and .env.example from the settings.
	$(BIN)/python -m inference_gateway.server.settings_reference .

openapi: setup ## Write openapi.yaml and its packaged twin from the types and the route table.
	$(BIN)/python -m inference_gateway.server.api.openapi

lock: setup ## Compile the lock files anew (ARGS=--upgrade: to the newest versions allowed).
	$(compile) pyproject.toml --extra server --extra auth -o requirements/server.txt
	$(compile) pyproject.toml --extra server --extra auth --extra mcp --extra otel --group dev -o requirements/dev.txt
	$(compile) pyproject.toml --all-extras -o requirements/image.txt
	$(compile) pyproject.toml --all-extras --group build --constraint requirements/image.txt -o requirements/build.txt
	$(compile) --group deploy --constraint requirements/dev.txt -o requirements/deploy.txt
	$(compile) --group fuzz -o requirements/fuzz.txt

clean: ## Remove .venv, build results and caches.
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate $(ARGS)

# A package of its own, which is found first where PYTHONPATH says so: tests and tools go on with what is in src.
$(COMPILED_STAMP): $(STAMP) hatch_build.py $(shell find src -name '*.py')
	rm -rf $(COMPILED)
	INFERENCE_GATEWAY_COMPILE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-build-isolation --no-deps --target $(COMPILED) .
	@touch $@

# An environment that works is brought up to date; one that does not (its Python is gone) is made anew.
$(STAMP): requirements/dev.txt pyproject.toml
	@python='$(PYTHON)'; complain() { echo "make setup: $$1" >&2; exit 1; }; \
	[ -n "$$python" ] || complain 'needs Python 3.11 or newer; name one with PYTHON=/path/to/python3'; \
	"$$python" -c '$(is_new_enough)' 2>/dev/null || complain "$$python is not Python 3.11 or newer"; \
	"$$python" -c '$(makes_venvs)' 2>/dev/null \
		|| complain "$$python cannot create environments; on Debian and Ubuntu install python3-venv"; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
