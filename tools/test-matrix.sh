#!/usr/bin/env bash
# Runs the tests on the wheel in dist/ with several sets of Jupyter versions, each in its own venv.
# Arguments: names of sets; see `pins`.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
wheel=$(ls "$PWD"/dist/nbsession-*.whl)

# What to hold fixed; everything else is the newest that goes with it.
pins() {
  case $1 in
    oldest)
      echo 'jupyter_server==2.14.*' 'jupyterlab==4.4.*' 'notebook==7.4.*' 'voila==0.5.8' \
        'ipykernel==6.29.*' 'ipywidgets==8.1.*' 'anywidget==0.9.18' 'traitlets==5.14.*' \
        'croniter==1.4.*' 'tzlocal==5.0.*'
      ;;
    ipykernel-6.29) echo 'ipykernel==6.29.*' ;;
    ipykernel-7.3) echo 'ipykernel==7.3.*' ;;
    latest | pyodide) ;;
    jupyterhub-5) echo 'jupyterhub==5.*' ;;
    jupyterhub-6) echo 'jupyterhub==6.*' ;;
    *)
      echo "test-matrix: no set '$1' (see pins in tools/test-matrix.sh)" >&2
      exit 2
      ;;
  esac
}

# The tests of a set, and what else they need.
tests() {
  case $1 in
    jupyterhub-*) echo '-m hub tests/ui/test_jupyterhub.py' ;;
    pyodide) echo '-m pyodide tests/kernel/test_pyodide.py' ;;
    *) echo 'tests' ;;
  esac
}

proxy=$PWD/.venv-matrix/proxy
case " $* " in
  *" jupyterhub-"*)
    npm install --silent --no-audit --no-fund --prefix "$proxy" configurable-http-proxy@5
    ;;
esac

failed=()
for name in "$@"; do
  venv=.venv-matrix/$name
  read -ra versions <<<"$(pins "$name")"
  echo "== $name: ${versions[*]:-the newest of everything}"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install -q "${wheel}[test]" "${versions[@]}"
  if [ "$name" = pyodide ]; then # with what pip would bring there
    export NBSESSION_PYODIDE_SITE=$PWD/$venv/pyodide
    "$venv/bin/python" tools/pyodide_site.py "$wheel" "$NBSESSION_PYODIDE_SITE"
  fi
  read -ra arguments <<<"$(tests "$name")"
  PATH="$PWD/$venv/bin:$proxy/node_modules/.bin:$PATH" \
    "$venv/bin/python" -m pytest "${arguments[@]}" || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "test-matrix: failed with ${failed[*]}" >&2
  exit 1
fi
