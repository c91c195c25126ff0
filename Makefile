# `make demo` runs the tutorial on the embedded lab, `make test` passes the tests. Both install what is missing.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo test bench load setup collection lab lint sanity unit molecule integration clean

VENV := .venv
IN_LAB := eval "$$(tests/lab/lab env)" &&

help:
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: setup lab ## the tutorial's six steps on the embedded lab, from nothing
	@$(IN_LAB) ansible-playbook -i inventories/lab site.yml -e gpu=false
	@cat docs/next-steps.txt

test: setup lint sanity unit lab molecule integration ## every test; brings the lab up

bench: setup lab ## our unchanged run against the tutorial's own commands, interleaved
	@$(IN_LAB) python benchmarks/tutorial.py

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

molecule: setup lab
	$(IN_LAB) cd extensions && molecule test --all

integration: setup lab
	$(IN_LAB) pytest -v --durations=15 tests/integration

clean: ## take the lab down and remove what make installed in this clone; the lab's cache stays
	tests/lab/lab down
	rm -rf $(VENV) collections/ansible_collections
