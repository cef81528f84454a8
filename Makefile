# Every task is one target. `make` lists them; .ci/run calls the same ones.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
WORK_DIR ?= .comity
CHECKED := src tools tests bench examples

.PHONY: help venv packages clients kubectl up down status lint test test-fast sim bench constraints docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(BIN)/comity ## make .venv with comity and what its developers need

$(BIN)/comity: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(BIN)/comity

packages: ## install the Debian packages that let images run (as root; else it says what is missing)
	@tools/packages.sh

clients: venv ## fetch kubectl and the third-party clients of the end-to-end tests into .clients
	@$(BIN)/python tools/third_party.py .clients

kubectl: venv ## fetch kubectl into .clients, unless there is one
	@command -v kubectl >/dev/null || $(BIN)/python tools/third_party.py .clients kubectl

up: venv packages kubectl ## start a cluster, try Marathon and Kubernetes on it, and say what to try next
	@BIN=$(BIN) WORK_DIR=$(WORK_DIR) tools/demo.sh

down: ## stop the cluster that `make up` started
	@$(BIN)/comity down --work-dir $(WORK_DIR)

status: ## say what that cluster is doing
	@$(BIN)/comity status --work-dir $(WORK_DIR)

lint: venv ## format, style, types, layers, spelling
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy src tools examples bench
	$(BIN)/lint-imports
	$(BIN)/codespell --ignore-words-list te,notin README.md CONTRIBUTING.md CHANGELOG.md docs $(CHECKED)

test: venv clients ## every test, end to end ones too
	$(BIN)/pytest

test-fast: venv ## the tests that start no cluster
	$(BIN)/pytest -q -m 'not e2e'

SEEDS ?= 1-1500
sim: venv ## run the kernel under simulated faults, SEEDS=1-1500 takes about a minute
	$(BIN)/comity sim --seeds $(SEEDS)

bench: venv ## compare with baselines: bare processes, Docker Swarm, textbook algorithms, side by side (as root)
	@for each in kernel/allocation kernel/failover kernel/state kernel/subscribers wire launch replicas containers/starts containers/network idle; do $(BIN)/python bench/$$each.py || exit 1; done

constraints: venv ## write the installed versions to constraints.txt
	@(head -1 constraints.txt; $(BIN)/pip freeze --exclude-editable) > constraints.new && mv constraints.new constraints.txt

docs: venv ## write what docs/reference has of settings and commands
	$(BIN)/python tools/config_reference.py > docs/reference/config.md
	$(BIN)/python tools/cli_reference.py > docs/reference/cli.md

clean: ## remove what the targets above made, but not a cluster's work directory
	rm -rf .venv .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
