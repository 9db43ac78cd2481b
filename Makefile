# `make run` sets everything up and trains the chapter's LSTM; `make help` lists the rest.
PYTHON ?= python3
# .venv/Scripts on Windows; conditionals are written differently for each make.
ON_Windows_NT := Scripts
FOLDER := bin$(ON_$(OS))
BIN := .venv/$(FOLDER:binScripts=Scripts)
READY := .venv/ready
FORCE_1 := --force
export PYTHONNOUSERSITE = 1

.PHONY: help run setup lab test attack lint execute claims readme exercises bench
.PHONY: odyssey pretrained lock clean

help:            ## this list
	@awk -F ':.*## *' '/^[a-z ]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## make .venv with the locked dependencies and the package

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13) and 'Python 3.10 to 3.13 is needed, this is ' + sys.version.split()[0])"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

run: $(READY)    ## train the chapter's LSTM on the embedded text (a minute), and predict
	$(BIN)/d2l-lstm train --overwrite
	@echo "Next: make lab, and open 01_time_machine_data.ipynb"

lab: $(READY)    ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

test: $(READY)   ## the whole suite
	$(BIN)/python -m pytest

attack: $(READY) ## damaged files, random commands, interrupts at any moment: long
	$(BIN)/python tests/crafted_checkpoints.py
	$(BIN)/python tests/random_command_lines.py
	$(BIN)/python tests/injected_interrupts.py

lint: $(READY)   ## style of package, tests, tools and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

execute: $(READY) ## run every notebook at full length, in place; ONLY=03 for one, ONLY=--stale for what changed
	$(BIN)/python tools/execute_notebooks.py $(ONLY)

claims readme: $(READY) ## put verdicts and figures of notebooks and bench into CLAIMS.md and READMEs
	$(BIN)/python tools/update_readme.py

exercises: $(READY) ## make the students' notebooks, exercises/release; ONLY=05 for one
	$(BIN)/python tools/exercises.py --only "$(ONLY)"

bench: $(READY)  ## speed against the installed d2l: 10 minutes on a quiet machine; FORCE=1
	$(BIN)/python benchmarks/bench.py $(FORCE_$(FORCE))

odyssey: $(READY)  ## train all cells at all tasks of notebook 14 again: 10 minutes on two cores
	$(BIN)/python tools/odyssey.py

pretrained: $(READY) ## make data/lstm_time_machine.safetensors again
	$(BIN)/d2l-lstm train --seed 0 --overwrite --checkpoint data/lstm_time_machine.safetensors

lock: $(READY)   ## make requirements.lock again, from pyproject.toml and overrides.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 \
	    --generate-hashes --no-emit-index-url --override overrides.txt --upgrade --quiet \
	    --custom-compile-command "make lock" -o requirements.lock

clean:           ## remove .venv and caches
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
