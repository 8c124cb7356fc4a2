#!/usr/bin/env bash
# Builds the wheel without optimising for long, installs it into .venv and tests it.
. "$(dirname "$0")/bootstrap.sh"
need_cargo
need_venv
install_wheel dev
tools/python_test.sh
