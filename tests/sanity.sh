#!/usr/bin/env bash
# ansible-test sanity on a copy of this tree: tests/sanity.sh [--row ROW] [ARGUMENTS of ansible-test sanity]
# ROW is a row of tests/cores.py (such as oldest); without it this clone's own ansible-core runs.
# ansible-test wants the tree at ansible_collections/mlops/tf_serving, with the collections it depends on beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python row=own
if [[ ${1:-} == --row ]]; then
  row=$2
  shift 2
  python=$("$python" tests/cores.py --python "$row")
fi
root=${XDG_CACHE_HOME:-$HOME/.cache}/mlops-tf_serving/sanity/$row/ansible_collections
copy=$root/mlops/tf_serving

rm -rf "$root"
mkdir -p "$copy" "$root/kubernetes"
git ls-files -z --cached --others --exclude-standard | xargs -0 -I{} sh -c 'if [ -e "$1" ]; then printf "%s\0" "$1"; fi' _ {} |
  tar --null --files-from=- -cf - | tar -xf - -C "$copy"
cp -rL "$("$python" -c 'import ansible; print(ansible.__path__[0])')/../ansible_collections/kubernetes/core" "$root/kubernetes/"

# ansible-test fetches a get-pip script for its virtual environments from a site that may be out of reach; a file in its cache
# is taken instead. Each core wants another version's. PIP_CONFIG_FILE is hidden by ensurepip.
versions=$("$python" -c 'import ansible_test; print(ansible_test.__path__[0])')/_internal/python_requirements.py
version=$(sed -n "s/.*  pip='\([0-9.]*\)'.*/\1/p" "$versions" | head -1)
get_pip=$HOME/.ansible/test/cache/get_pip_${version//./_}.py
[[ -f $get_pip ]] || { mkdir -p "$(dirname "$get_pip")" && cat >"$get_pip" <<PYTHON
import ensurepip, os, subprocess, sys
ensurepip.bootstrap()
os.environ.pop("PIP_CONFIG_FILE", None)
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "pip==$version"])
PYTHON
}

cd "$copy"
# pyenv's shims for Pythons that are not selected exit 127 and would end the run.
path=$(dirname "$python"):$(tr ':' '\n' <<<"$PATH" | grep -v '/shims$' | paste -sd:)
PATH=$path ansible-test sanity --requirements --color no "$@"
