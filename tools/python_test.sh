#!/usr/bin/env bash
# Tests the package that is installed in .venv: types, stubs against the built module, behaviour.
set -euo pipefail
cd "$(dirname "$0")/../python"
export BLINDSUM_CACHE=${BLINDSUM_CACHE:-$PWD/../target/cache}
python=$PWD/../.venv/bin/python
# From another folder, so that the installed wheel is tested and not the sources beside the tests.
cd tests
"$python" -m mypy --config-file ../pyproject.toml -p blindsum
"$python" -m mypy.stubtest blindsum --mypy-config-file ../pyproject.toml --allowlist stubtest_allow.txt
"$python" -m pytest -c ../pyproject.toml --rootdir .. -q .
