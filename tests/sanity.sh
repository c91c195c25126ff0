#!/usr/bin/env bash
# ansible-test sanity on a copy of this tree: ansible-test wants it at ansible_collections/mlops/tf_serving,
# with the collections it depends on beside it.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
venv=$here/.venv
root=${XDG_CACHE_HOME:-$HOME/.cache}/mlops-tf_serving/sanity/ansible_collections
copy=$root/mlops/tf_serving

rm -rf "$copy" && mkdir -p "$copy" "$root/kubernetes"
cd "$here"
git ls-files -z --cached --others --exclude-standard | xargs -0 -I{} sh -c '[ -e "$1" ] && printf "%s\0" "$1"' _ {} |
  tar --null --files-from=- -cf - | tar -xf - -C "$copy"
[ -d "$root/kubernetes/core" ] ||
  cp -r "$("$venv/bin/python" -c 'import ansible; print(ansible.__path__[0])')/../ansible_collections/kubernetes/core" "$root/kubernetes/"

# ansible-test fetches a get-pip script for its virtual environments from a site that may be out of reach;
# a file in its cache is taken instead. PIP_CONFIG_FILE is hidden by ensurepip.
get_pip=$HOME/.ansible/test/cache/get_pip_24_2.py
[ -f "$get_pip" ] || { mkdir -p "$(dirname "$get_pip")" && cat >"$get_pip" <<'PYTHON'
import ensurepip, os, subprocess, sys
ensurepip.bootstrap()
os.environ.pop("PIP_CONFIG_FILE", None)
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "pip==24.2"])
PYTHON
}

cd "$copy"
# pyenv's shims for Pythons that are not selected exit 127 and would end the run.
path=$venv/bin:$(tr ':' '\n' <<<"$PATH" | grep -v '/shims$' | paste -sd:)
PATH=$path ansible-test sanity --requirements --color no "$@"
