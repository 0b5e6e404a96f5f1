#!/usr/bin/env bash
# Installs the wheel and the sdist of a folder (default dist/), each into a new environment without
# Node, and looks whether Jupyter would find all of it.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=${1:-dist}
python=$(command -v "${PYTHON:-python3}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "check-wheel: $*" >&2
  exit 1
}

# Only what pip installs is compared, so the dependencies stay away: `make test` covers those.
check() {
  local archive=$1 venv=$2 path
  "$python" -m venv "$venv"
  (
    export PATH="$venv/bin"
    ! command -v node >/dev/null || fail "Node is still on PATH"
    "$venv/bin/python" -m pip install -q --no-deps "$archive"
  )
  for path in \
    etc/jupyter/jupyter_server_config.d/nbsession.json \
    etc/jupyter/voila.json \
    share/jupyter/labextensions/nbsession/install.json \
    share/jupyter/labextensions/nbsession/package.json \
    share/jupyter/labextensions/nbsession/static/style.js; do
    [ -s "$venv/$path" ] || fail "$archive has no $path"
  done
  ls "$venv"/share/jupyter/labextensions/nbsession/static/remoteEntry.*.js >/dev/null \
    || fail "$archive has no labextension entry"
  # From elsewhere, so that this checkout's own package is not the one that is found.
  (cd "$venv" && bin/python - <<'PY') || fail "$archive: the package is not whole"
import importlib.metadata
import importlib.resources
import json
import pathlib
import sys

import nbsession

package = importlib.resources.files("nbsession")
bundles = [f"static/{name}" for name in ("page.js", "indicator.js", "indicator.css", "panel.js", "panel.css")]
missing = [
    path
    for path in ("py.typed", "server/openapi.yaml", *bundles)
    if not package.joinpath(path).is_file()
]
if missing:
    sys.exit(f"missing in the package: {missing}")
if package.joinpath("labextension").is_dir():
    sys.exit("the labextension is in the package as well as in share/jupyter")
version = importlib.metadata.version("nbsession")
if nbsession.__version__ != version:
    sys.exit(f"nbsession.__version__ {nbsession.__version__} in a package of version {version}")
front = json.loads(
    pathlib.Path(sys.prefix, "share/jupyter/labextensions/nbsession/package.json").read_text()
)
if front["version"] != version:
    sys.exit(f"labextension {front['version']} in a package of version {version}")
PY
  echo "check-wheel: $(basename "$archive") installs without Node, and is whole"
}

check "$(ls "$dist"/nbsession-*.whl)" "$work/wheel"
check "$(ls "$dist"/nbsession-*.tar.gz)" "$work/sdist"
