# `make demo` runs the tutorial on the embedded lab, `make test` passes the tests. Both install what is missing.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo test test-all offline on-the-lab bench bench-check load setup collection lab browser lint sanity unit cores controller matrix mutants \
  fuzz molecule integration clean

VENV := .venv
unexport PYTHONDONTWRITEBYTECODE # where it is set, every run compiles again all that it imports
MARKED ?= not long
IN_LAB := eval "$$(tests/lab/lab env)" &&

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: setup lab ## the tutorial's six steps on the embedded lab, from nothing
	@$(IN_LAB) ansible-playbook -i inventories/lab site.yml -e gpu=false
	@cat docs/next-steps.txt

test: setup ## the short suite: everything that people meet, in less than half an hour (tests/README.md)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line lab offline
	@$(MAKE) --no-print-directory on-the-lab

test-all: setup ## every test there is, on every ansible-core; hours
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line lab offline matrix
	@$(MAKE) --no-print-directory on-the-lab MARKED=

offline: lint unit cores controller sanity # what needs no cluster: while the lab is built and started

on-the-lab: molecule integration

bench: setup lab ## our unchanged run against the tutorial's own commands; our check against the tutorial's client and ghz
	@$(IN_LAB) python benchmarks/tutorial.py
	@$(IN_LAB) python benchmarks/publish.py
	@$(IN_LAB) python benchmarks/check.py

bench-check: setup lab
	@$(IN_LAB) python benchmarks/check.py

load: setup lab ## what clients lose, and who answers wrongly, while versions, pods and the chart change (half an hour)
	@$(IN_LAB) python benchmarks/load.py

setup: $(VENV)/.ready collection

$(VENV)/.ready: requirements.txt tests/requirements.txt
	python3 -m venv $(VENV) || { apt-get update && apt-get install -y python3-venv && python3 -m venv $(VENV); }
	$(VENV)/bin/python -m pip install --quiet uv
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python -r requirements.txt -r tests/requirements.txt
	touch $@

collection: $(VENV)/.ready # roles run from the installed copy, so install again after every change
	@$(VENV)/bin/ansible-galaxy collection install -r collections/requirements.yml --force --offline >/dev/null

lab: setup ## bring the embedded lab up (the first time builds Kubernetes, about 12 minutes)
	tests/lab/lab up

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/ansible-lint --offline --profile production
	@# It copies what git knows of a collection: of those in the environment, which the clone ignores, all.
	GIT_CEILING_DIRECTORIES="$(realpath $(VENV)/..)" PATH="$(CURDIR)/$(VENV)/bin:$$PATH" \
	  antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .

# What depends on the core, on the oldest and the newest one; all of it on this one.
OF_THE_CORE := --test compile --test import --test validate-modules --test ansible-doc

sanity: setup
	tests/sanity.sh
	tests/sanity.sh --row oldest $(OF_THE_CORE)
	tests/sanity.sh --row newest $(OF_THE_CORE)

unit: setup
	$(VENV)/bin/pytest -q -n 2 -m "$(MARKED)" tests/unit

cores: setup # what an ansible-core can change, and playbooks without a cluster, on the oldest and the newest
	$(VENV)/bin/python tests/cores.py --only-core ends
	$(VENV)/bin/pytest -q -n 2 --dist loadfile --ignore=tests/cores/test_latest.py --ignore=tests/cores/test_pinned.py tests/cores

controller: setup # playbooks/awx.yml with awx.awx, which the package ansible brings, against a stand-in of the controller's API
	$(VENV)/bin/pytest -q tests/controller

matrix: setup ## unit tests, playbooks and sanity on every ansible-core, with old and new protobuf, grpcio, numpy and kubernetes
	$(VENV)/bin/python tests/cores.py
	tests/sanity.sh --row oldest
	tests/sanity.sh --row newest

mutants: setup ## do the unit tests notice a wrong line? SEED=1 COUNT=500
	$(VENV)/bin/python tests/mutants.py --seed $(or $(SEED),1) --count $(or $(COUNT),500)

FUZZ := .venv-fuzz

$(FUZZ)/.ready:
	python3.11 -m venv $(FUZZ)
	$(FUZZ)/bin/pip install --quiet atheris numpy protobuf
	touch $@

fuzz: $(FUZZ)/.ready ## do readers of other people's files refuse what is no such file? SECONDS_EACH=600 TARGET=all
	@for target in $(or $(TARGET),$$($(FUZZ)/bin/python tests/fuzz.py 2>&1 | sed -n 's/^Targets: //p')); do \
	  echo "$$target"; $(FUZZ)/bin/python tests/fuzz.py $$target $(or $(SECONDS_EACH),600) || exit; done

molecule: setup lab
	$(IN_LAB) cd extensions && molecule test --all

browser: # Debian's Chromium, which looks at the report
	@[ -x /usr/bin/chromium ] && [ -x /usr/bin/chromedriver ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core >/dev/null; }

# Two files at a time, each in a lane of its own.
integration: setup lab browser
	$(IN_LAB) pytest -n 2 --dist loadfile -m "$(MARKED)" --durations=15 tests/integration

clean: ## take the lab down and remove what make installed in this clone; the lab's cache stays
	tests/lab/lab down
	rm -rf $(VENV) .venv-fuzz .venv-matrix collections/ansible_collections
