#!/usr/bin/env bash
# What a chain node links must hold neither the device nor the prover.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$(cargo tree -q -p blindsum-ffi -e normal --prefix none)
for heavy in wgpu naga ark-groth16 ark-relations ark-r1cs-std pyo3; do
    if grep -q "^$heavy v" <<<"$tree"; then
        echo "blindsum-ffi depends on $heavy" >&2
        exit 1
    fi
done
tree=$(cargo tree -q -p blindsum-protocol -e normal --prefix none)
! grep -Eq '^(wgpu|ark-relations|ark-groth16) v' <<<"$tree" || { echo "blindsum-protocol knows wgpu or R1CS" >&2; exit 1; }
tree=$(cargo tree -q -p blindsum-circuits -e normal --prefix none)
! grep -Eq '^wgpu v' <<<"$tree" || { echo "blindsum-circuits knows wgpu" >&2; exit 1; }
echo "ffi, protocol and circuits depend on what they should"
