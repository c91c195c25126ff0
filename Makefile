# `make demo` runs the tutorial on the embedded lab, `make test` passes the tests. Both install what is missing.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo test bench bench-check load setup collection lab browser lint sanity unit matrix molecule integration clean

VENV := .venv
unexport PYTHONDONTWRITEBYTECODE # where it is set, every run compiles again all that it imports
IN_LAB := eval "$$(tests/lab/lab env)" &&

help:
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: setup lab ## the tutorial's six steps on the embedded lab, from nothing
	@$(IN_LAB) ansible-playbook -i inventories/lab site.yml -e gpu=false
	@cat docs/next-steps.txt

test: setup lint sanity unit matrix lab molecule integration ## every test; brings the lab up

bench: setup lab ## our unchanged run against the tutorial's own commands; our check against the tutorial's client and ghz
	@$(IN_LAB) python benchmarks/tutorial.py
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

sanity: setup
	tests/sanity.sh

unit: setup
	$(VENV)/bin/pytest -q tests/unit

matrix: setup # the inference client on old and new protobuf, grpcio and numpy
	tests/matrix.sh

molecule: setup lab
	$(IN_LAB) cd extensions && molecule test --all

browser: # Debian's Chromium, which looks at the report
	@[ -x /usr/bin/chromium ] && [ -x /usr/bin/chromedriver ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core >/dev/null; }

integration: setup lab browser
	$(IN_LAB) pytest -v --durations=15 tests/integration

clean: ## take the lab down and remove what make installed in this clone; the lab's cache stays
	tests/lab/lab down
	rm -rf $(VENV) .venv-matrix collections/ansible_collections
