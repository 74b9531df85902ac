# Everything runs from a fresh clone: `make demo`, `make test`. Needs Python 3.12 and make.
.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage lint format bench chaos mem9 workflows browser host package serve doctor requirements clean

# With pyenv, `.python-version` turns the `uv` of another Python into a shim that exits 127:
# finding a uv proves nothing, running it does.
UV := $(shell if uv --version >/dev/null 2>&1; then echo uv; else echo .uv/bin/uv; fi)
PYTHON := $(shell for each in python3.12 python3 python; do \
	if $$each -c 'import sys, venv; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then \
	echo $$each; break; fi; done)
PY := .venv/bin/python
# The tests start the plugin often: where Python may not keep bytecode, each start compiles it anew.
export PYTHONDONTWRITEBYTECODE =
STAMP := .venv/.complete
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--no-header --no-annotate $(if $(UPGRADE),--upgrade)

help:
	@echo 'make setup         a .venv with Python 3.12 and everything pinned in requirements*.txt'
	@echo 'make demo          an embedded mem9, the plugin, twenty conversations, a live queue'
	@echo 'make test, lint    what the checks run (.ci/run runs both)'
	@echo 'make coverage      the tests with branches counted, and the least that must be reached'
	@echo 'make bench         calls a second against a do-nothing and a synchronous plugin'
	@echo 'make chaos         the long fault runs'
	@echo 'make mem9          the embedded mem9 beside a real one: SERVER=http://... KEY=...'
	@echo 'make workflows     Dify workflow files through Dify's own engine and the plugin'
	@echo 'make browser       the queue page in a real Chromium'
	@echo 'make host          the same on a real plugin daemon: DAEMON=<its server> CLI=<its command line>'
	@echo 'make package       dist/mem9_async-<version>.difypkg'
	@echo 'make serve         the embedded mem9 alone'
	@echo 'make doctor        what is wrong with this machine or configuration'
	@echo 'make requirements  pin again after a change of pyproject.toml (UPGRADE=1: newest)'
	@echo 'make clean         remove what was built here'

setup: $(STAMP)

$(STAMP): requirements.txt requirements-dev.txt $(filter .uv/bin/uv,$(UV))
	@$(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null \
		|| $(UV) venv --quiet --clear --python 3.12 .venv
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements.txt requirements-dev.txt
	@touch $@

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo 'No Python with venv found: install Python 3.12.'; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet uv

demo: setup
	$(PY) -m mem9_async demo $(ARGS)

test: setup
	$(PY) -m pytest -n 4 --dist loadfile $(ARGS)

coverage: setup
	$(PY) -m pytest -n 4 --dist loadfile --cov --cov-report=term $(ARGS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup
	$(PY) -m mem9_async bench $(ARGS)

chaos: setup
	$(PY) -m tests.chaos $(ARGS)

mem9: export MEM9_API_KEY := $(or $(KEY),$(MEM9_API_KEY))
mem9: setup
	@$(PY) -m tests.comparison $(if $(SERVER),--server $(SERVER)) $(ARGS)

workflows: setup .venv-workflows/.complete
	@$(PY) -m tests.workflows --engine .venv-workflows/bin/python

# Dify's engine with all that it needs: 900 MB, so in an environment of its own, on first use.
.venv-workflows/.complete: requirements-workflows.txt $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --clear --python $(PY) .venv-workflows
	$(UV) pip sync --quiet --python .venv-workflows/bin/python --require-hashes $<
	@touch $@

browser: setup .venv-browser/.complete
	@$(PY) -m tests.browser --driver .venv-browser/bin/python $(ARGS)

# Playwright brings a driver of 120 MB; the browser itself is the system's.
.venv-browser/.complete: requirements-browser.txt $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --clear --python $(PY) .venv-browser
	$(UV) pip sync --quiet --python .venv-browser/bin/python --require-hashes $<
	@touch $@

host: setup
	@$(PY) -m benchmarks.host $(if $(DAEMON),--daemon $(DAEMON)) $(if $(CLI),--cli $(CLI)) $(ARGS)

package: setup
	$(PY) -m mem9_async package $(ARGS)

serve: setup
	$(PY) -m mem9_async serve $(ARGS)

doctor: setup
	$(PY) -m mem9_async doctor $(ARGS)

requirements: $(filter .uv/bin/uv,$(UV))
	$(COMPILE) pyproject.toml --output-file requirements.txt >/dev/null
	echo 'playwright==1.65.2' | $(COMPILE) - --output-file requirements-browser.txt >/dev/null
	echo 'graphon==0.8.0' | $(COMPILE) - --output-file requirements-workflows.txt >/dev/null
	$(COMPILE) --group dev --constraint requirements.txt --output-file requirements-dev.txt >/dev/null

clean:
	rm -rf .venv .venv-workflows .venv-browser .uv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
