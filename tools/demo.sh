#!/usr/bin/env bash
# Brings what the machine lacks, builds the wheel, trains, and writes out/report.html and out/report.json.
. "$(dirname "$0")/bootstrap.sh"
need_cargo
need_venv
install_wheel release
export BLINDSUM_CACHE=${BLINDSUM_CACHE:-$PWD/target/cache}
.venv/bin/python demo/run.py --out out "$@"
