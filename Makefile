# Everything lives in .venv and node_modules; nothing outside this folder is changed (but see `browser`).
#
#   make demo            JupyterLab with the tour; APP=voila for Voilà; CHECK=1 looks at it and exits
#   make test            all that CI runs
#   make install         an editable install for development (`make watch` rebuilds on every change)

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
APP ?= lab
CHECK ?=
WORKERS ?= 3
AT ?=
BASE ?=
BENCH ?= busy round_trip location worker engine
ROUNDS ?= 7
SAMPLES ?=
MATRIX ?= oldest ipykernel-6.29 ipykernel-7.3 latest jupyterhub-5 jupyterhub-6 pyodide

export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

PIP := $(BIN)/python -m pip
INSTALLED := $(VENV)/.installed
LABEXTENSION := $(VENV)/share/jupyter/labextensions/nbsession
MANIFESTS := pyproject.toml package.json package-lock.json
SOURCES := $(shell find js_src jupyter-config schema -type f) install.json rspack.lab.cjs

.DEFAULT_GOAL := help
.PHONY: help install demo check test lint format types imports test-js test-py test-wheel test-matrix \
  test-stress test-shifted browser nginx watch bench bench-compare wheel clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile
	@echo "also: check lint format types imports test-js test-py test-wheel test-matrix test-stress test-shifted"
	@echo "      browser nginx watch bench bench-compare wheel clean"

# ------------------------------------------------------------------------------------------- install

install: $(INSTALLED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "nbsession needs Python 3.11 or newer; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

.PHONY: node
node:
	@command -v npm >/dev/null \
	  || { echo "Building the JavaScript needs Node.js 20.19 or newer, with npm." >&2; exit 1; }

# The labextension may be the symlink of `make watch`; Voilà serves only copies.
UNLINK := if [ -L $(LABEXTENSION) ]; then rm $(LABEXTENSION); fi

# Dependencies only when a manifest changed; a change of js_src just builds and copies again.
$(INSTALLED): $(MANIFESTS) $(SOURCES) | node $(BIN)/python
	@$(UNLINK)
	$(if $(filter $(MANIFESTS),$?),\
	  $(PIP) install -q -e '.[dev]',\
	  $(PIP) install -q --no-deps --no-build-isolation -e .)
	@touch $@

# The demo needs less; if the development install is there, that one serves.
DEMO := $(if $(wildcard $(INSTALLED)),$(INSTALLED),$(VENV)/.demo)

$(VENV)/.demo: $(MANIFESTS) $(SOURCES) | node $(BIN)/python
	$(PIP) install -q -e '.[demo]'
	@touch $@

$(VENV)/.demo-check: $(DEMO)
	$(PIP) install -q playwright
	@touch $@

$(VENV)/.bench: $(INSTALLED)
	$(PIP) install -q -e '.[bench]'
	@touch $@

# ----------------------------------------------------------------------------------------------- use

demo: $(DEMO) $(if $(filter 1,$(CHECK)),$(VENV)/.demo-check browser)
	$(BIN)/python tools/demo.py --app $(APP) $(if $(filter 1,$(CHECK)),--check)

# Rebuilds both bundles on every change. Reload the page for the labextension; for the widgets start
# the server as `ANYWIDGET_HMR=1 .venv/bin/jupyter lab`, and they reload by themselves. The next `make`
# installs again: `develop` leaves a symlink, of which Voilà serves nothing.
watch: $(INSTALLED)
	@rm -f $(INSTALLED)
	$(BIN)/jupyter labextension develop . --overwrite
	npm run watch

bench: $(VENV)/.bench browser
	$(BIN)/python benchmarks/run.py

# Rounds of benchmarks on the commit BASE and on this checkout, in turns; fails on a regression.
bench-compare: $(VENV)/.bench browser
	@test -n "$(BASE)" || { echo 'say with what: make bench-compare BASE=<commit>' >&2; exit 2; }
	$(BIN)/python benchmarks/compare.py $(BASE) $(BENCH) --rounds $(ROUNDS) \
	  $(if $(SAMPLES),--samples $(SAMPLES))

# -------------------------------------------------------------------------------------------- checks

test: install browser nginx lint types imports test-js test-py test-wheel

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	npm run --silent lint

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	npm run --silent format

types: $(INSTALLED)
	$(BIN)/mypy
	npm run --silent typecheck

imports: $(INSTALLED)
	$(BIN)/lint-imports

test-js: $(INSTALLED)
	npm test --silent

# What can be checked in a minute: before each commit.
check: lint types imports test-js
	$(BIN)/pytest tests -q -n $(WORKERS) -m "$(WITHOUT_PROCESSES)"

WITHOUT_PROCESSES := not processes and not server and not browser and not stress and not hub and not pyodide

# Files go to workers whole: their tests share servers, kernels and browsers. A test that fails is run
# once more and listed as RERUN: some still depend on how busy the machine is. Each is a defect.
WHOLE := -n $(WORKERS) --dist loadfile --reruns 1 -raR

test-py: $(INSTALLED) browser nginx
	$(BIN)/pytest tests $(WHOLE)

# A user's machine has no Node: the wheel and the sdist must do without.
test-wheel: wheel
	PYTHON=$(BIN)/python tools/check-wheel.sh dist

# The oldest and the newest of what we promise to run on; MATRIX="oldest latest" chooses.
test-matrix: wheel browser nginx
	PYTHON=$(PYTHON) PYTEST_ADDOPTS="$(WHOLE)" tools/test-matrix.sh $(MATRIX)

test-stress: $(INSTALLED) browser test-shifted
	$(BIN)/pytest tests -m stress

# Tests that start no server, on other days: AT="+1d 2028-02-28T23:59" chooses.
test-shifted: $(INSTALLED)
	$(BIN)/python tools/test_shifted.py $(if $(AT),--at $(AT)) -n $(WORKERS) --dist loadfile

# Finds a Chromium, or installs Debian's if this is root on a machine with apt-get.
browser:
	@tools/browser.sh

# The same with nginx, for the tests behind a proxy.
nginx:
	@tools/nginx.sh

# ------------------------------------------------------------------------------------------- release

# Old assets go first: a build from a checkout takes what it finds.
wheel: $(INSTALLED)
	rm -rf dist py_src/nbsession/labextension py_src/nbsession/static
	$(BIN)/python -m build --no-isolation

clean:
	rm -rf $(VENV) .venv-* node_modules dist build py_src/nbsession/labextension \
	  py_src/nbsession/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
