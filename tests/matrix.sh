#!/usr/bin/env bash
# The inference client on the oldest, some middle and the newest protobuf, grpcio and numpy: tests/matrix.sh [NAME...]
# shellcheck disable=SC2086 # lists are split on purpose
# Installs into .venv-matrix/ what is missing there; a line of ROWS is a set of versions.
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest of which this Python has wheels; on 3.11 these very ones.
ROWS='oldest --resolution=lowest-direct protobuf>=4.25 grpcio>=1.60 numpy>=1.24
middle protobuf~=5.29.0 grpcio==1.70.0 numpy<2.2
newest protobuf grpcio numpy'
# Test files under tests/unit/plugins/plugin_utils.
MESSAGES='client/test_tensors client/test_requests client/test_protos client/test_examples client/test_hostile_server'
CALLS='client/test_channel check/test_request_plan check/test_server check/test_run'

uv=.venv/bin/uv
python=.venv/bin/python

run() { # run VENV TEST...
  local paths=("${@:2}")
  paths=("${paths[@]/#/tests/unit/plugins/plugin_utils/}")
  "$1/bin/python" -m pytest -q -p no:cacheprovider "${paths[@]/%/.py}"
}

while read -r name versions; do
  [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
  venv=.venv-matrix/$name
  stamp="$versions $(date +%G-%V)" # once a week, for what is newest changes
  if [[ "$(cat "$venv/.versions" 2>/dev/null)" != "$stamp" ]]; then
    $uv venv --quiet --clear --python "$python" "$venv"
    $uv pip install --quiet --python "$venv/bin/python" --only-binary=:all: $versions
    $uv pip install --quiet --python "$venv/bin/python" ansible-core kubernetes cryptography pytest hypothesis
    # The package `ansible` brings kubernetes.core along; one copy will do.
    site=$(echo "$venv"/lib/python3*/site-packages)
    mkdir "$site/ansible_collections"
    ln -s "$(cd .venv/lib/python3*/site-packages/ansible_collections/kubernetes && pwd)" "$site/ansible_collections/"
    echo "$stamp" >"$venv/.versions"
  fi
  echo "== $name: $($uv pip list --quiet --python "$venv/bin/python" | grep -E '^(protobuf|grpcio|numpy) ' | tr -s ' \n' ' ')"
  run "$venv" $MESSAGES $CALLS
  if [[ $name == oldest ]]; then
    echo "== $name, protobuf in pure Python"
    PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python run "$venv" $MESSAGES
  fi
done <<<"$ROWS"
