#!/usr/bin/env bash
# Build the wheel, install it into an environment that has nothing but its stated requirements, and use it from elsewhere.
# The environment is kept; only the wheel is installed anew. PYTHON builds, VENV is the environment's folder.
set -euo pipefail
rm -rf build dist
"$PYTHON" -m pip --disable-pip-version-check wheel -q --no-deps --no-build-isolation -w dist .
wheel=$(ls "$PWD"/dist/*.whl)
stamp="$VENV/.installed-$(cat settings.ini setup.py constraints.txt | cksum | cut -d' ' -f1)"
if [ ! -f "$stamp" ]; then
  rm -rf "$VENV"
  "$PYTHON" -m venv "$VENV"
  "$VENV/bin/python" -m pip --disable-pip-version-check install -q -c constraints.txt "$wheel"
  touch "$stamp"
fi
"$VENV/bin/python" -m pip --disable-pip-version-check install -q --no-deps --force-reinstall "$wheel"
"$VENV/bin/python" -m pip --disable-pip-version-check check
venv=$(cd "$VENV" && pwd)
elsewhere=$(mktemp -d); trap 'rm -rf "$elsewhere"' EXIT
cd "$elsewhere"
"$venv/bin/python" -I - <<'P'
import importlib, pkgutil, sys, time
start = time.perf_counter(); import reid_nb; took = time.perf_counter() - start
assert 'site-packages' in reid_nb.__file__, reid_nb.__file__
assert took < 1, took
assert not {'torch', 'pandas', 'numpy'} & set(sys.modules), 'import reid_nb should be light'
modules = [m.name for m in pkgutil.walk_packages(reid_nb.__path__, 'reid_nb.')]
for m in modules: importlib.import_module(m)
print(f'wheel: reid_nb {reid_nb.__version__} imports in {took:.3f} s; all {len(modules)} modules import from {sys.prefix}')
P
"$venv/bin/reid-nb" --version
"$venv/bin/reid-nb" profiles > /dev/null
