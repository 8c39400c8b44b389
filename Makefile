# Every command that a person or CI needs. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
SECONDS ?= 60
SEED ?= 1
# Of the short form that `make test` runs; none when ARGS choose tests.
CHAOS_SECONDS ?= 10

.PHONY: help install demo test chaos lint types check run lock format messages clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Rota needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 install"; exit 1; }
ifdef UV
	$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

# One stamp for each set, so that an unchanged lock file costs nothing.
$(VENV)/.%.stamp: requirements/%.txt | $(BIN)/python
	@echo "Installing requirements/$*.txt into $(VENV) ..."
ifdef UV
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $<
else
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
endif
	@touch $@

install: $(VENV)/.embedded.stamp ## Build .venv with everything that a demo or a server needs

demo: install ## Start database, web, scheduler and worker, with tasks that run
	@exec $(BIN)/python manage.py demo $(ARGS)

test: install $(VENV)/.dev.stamp ## Linters, types, tests and a little chaos (what CI runs)
	@$(MAKE) --no-print-directory -j 3 lint types check
	@$(BIN)/python -m pytest -n 4 --dist loadscope $(ARGS)
ifeq ($(ARGS),)
	@echo "A little chaos ($(CHAOS_SECONDS) s) ..."
	@$(BIN)/python -m tests.chaos --seconds $(CHAOS_SECONDS) --seed $(SEED)
endif

chaos: install $(VENV)/.dev.stamp ## Kill, freeze and cut everything at random: make chaos SECONDS=60 SEED=1
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED)

lint: $(VENV)/.dev.stamp ## Style, imports, migrations and Django's checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format"; exit 1; }
	@$(BIN)/lint-imports --no-cache

types: $(VENV)/.dev.stamp ## mypy, strict
	@$(BIN)/mypy .

check: $(VENV)/.dev.stamp ## Django's own checks, and that no migration is missing
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --fail-level WARNING

format: $(VENV)/.dev.stamp ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

messages: $(VENV)/.dev.stamp ## Gather texts for translation, compile the catalogues, list what is missing
	@$(BIN)/python manage.py translations

lock: ## Compile requirements/*.txt from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	cd requirements && \
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" ../pyproject.toml -o runtime.txt && \
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" ../pyproject.toml --extra embedded -c runtime.txt -o embedded.txt && \
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" ../pyproject.toml --extra embedded --extra dev -c embedded.txt -o dev.txt

clean: ## Remove .venv and caches (the data in .rota/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
