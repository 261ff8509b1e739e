SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# uv runs everything; where it is missing, dev/bootstrap brings it into the user's cache.
UV := $(shell command -v uv || echo $${XDG_CACHE_HOME:-$$HOME/.cache}/crossfade/uv/bin/uv)
export PATH := $(dir $(UV)):$(PATH)
# Whoever sets this makes every Python process compile all that it imports, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
RUN := uv run --frozen

PYTEST := $(RUN) python -m pytest --import-mode=importlib
# Each suite keeps its own record, so that two can run side by side.
COVERAGE = COVERAGE_FILE=.coverage.$@
# Real servers on a shared machine: one failure is tried once more, and the summary shows how the first try failed.
AGAIN := --reruns 1 --rerun-show-tracebacks -r fER

include $(wildcard dev/make/*.mk)

.PHONY: help
help: ## print the targets
	@echo "Crossfade: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18 | sed 's/^/  /'

.venv: uv.lock pyproject.toml operator/pyproject.toml analyzer/pyproject.toml serving_image/pyproject.toml
	dev/bootstrap
	uv sync --frozen --all-packages --all-groups --all-extras
	@touch .venv

.PHONY: check lint types unit
check: lint types unit ## lint, types and unit tests: under a minute on two cores

lint: .venv
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) lint-imports

types: .venv
	$(RUN) mypy

unit: .venv
	$(PYTEST) tests/unit --numprocesses auto --dist worksteal -q -m "not slow and not integration and not dataplane and not e2e"

.PHONY: generate
generate: .venv ## write what is generated anew: CRDs, the chart's copy, the reference pages
	$(RUN) python -m dev.generate

.PHONY: test test-quick test-real test-e2e test-faults coverage
test: .venv lint types ## everything but test-faults: lint, types and tests, on a real cluster too
	rm -f .coverage .coverage.*
	$(MAKE) --jobs 2 test-quick test-real
	$(MAKE) test-e2e
	$(MAKE) coverage

test-quick: .venv ## tests that need no cluster
	$(COVERAGE) $(PYTEST) --cov --cov-report= -q --durations=20 -m "not integration and not dataplane and not e2e"

test-real: .venv ## tests against a real API server, Prometheus and Envoy
	$(COVERAGE) $(PYTEST) $(AGAIN) --cov --cov-report= -q --durations=20 -m "(integration or dataplane) and not e2e"

test-e2e: .venv ## tests on the whole local cluster
	$(PYTEST) $(AGAIN) -v -m "e2e and not faults" --timeout=1800

test-faults: .venv ## parts of the whole system die under an experiment; not part of `make test`
	$(PYTEST) -v -m faults --timeout=1800

coverage: .venv
	$(RUN) coverage combine --quiet
	$(RUN) coverage report
