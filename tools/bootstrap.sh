# Sourced by the other scripts: brings what the machine lacks, or says what to install.
#   need_packages PACKAGE...   Debian packages, installed when this is root (or sudo works)
#   need_venv                  .venv with the pinned tools of python/requirements-dev.txt
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A heading, and how long the script has run.
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

need_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    if ! command -v apt-get >/dev/null || { [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
        echo "please install: ${missing[*]}" >&2
        exit 1
    fi
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

need_cargo() {
    command -v cargo >/dev/null || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; }
    command -v cargo >/dev/null || { echo "please install Rust 1.95 or later: https://rustup.rs" >&2; exit 1; }
    command -v cc >/dev/null || need_packages gcc libc6-dev
}

need_venv() {
    local python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed" >&2; exit 1; }
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    local lock=python/requirements-dev.txt stamp=.venv/installed.txt
    if ! cmp -s "$lock" "$stamp"; then
        say "installing the pinned Python tools"
        .venv/bin/python -m pip install -q --disable-pip-version-check -r "$lock"
        cp "$lock" "$stamp"
    fi
}

# Builds the wheel in the named Cargo profile and installs it into .venv.
install_wheel() {
    say "building the wheel ($1)"
    rm -rf target/wheels
    .venv/bin/maturin build -q --profile "$1" -m python/Cargo.toml --out target/wheels
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall target/wheels/*.whl
}
