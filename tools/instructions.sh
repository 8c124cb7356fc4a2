#!/usr/bin/env bash
# Counts the instructions of each operation on one thread and compares them with benches/instructions.txt; `--update`
# rewrites that file. Counts are those of the profile `dev`, which the tests have built already.
#
# A count more than 2 % above its pin fails. With another compiler than the file's, or no x86-64, nothing is judged. A
# processor without AVX2 fails unless SKIP_MISSING_WIDTHS=1.
. "$(dirname "$0")/bootstrap.sh"

pins=benches/instructions.txt
tolerance=2 # percent

case "${1-}" in
    "" | --update) update=${1-} ;;
    *) echo "usage: tools/instructions.sh [--update]" >&2; exit 2 ;;
esac
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "instructions are counted on Linux on x86-64 only: nothing compared"
    exit 0
fi
need_cargo
need_packages valgrind
# How code is cut into units decides what is inlined, and where builds are not incremental it is cut otherwise.
export CARGO_INCREMENTAL=1
# The whole workspace and a test, so that dependencies have the features, and are the ones, that the tests have built.
cargo build -q --workspace --bin count --test cpu_table
program=${CARGO_TARGET_DIR:-target}/debug/count
compiler=$(rustc --version)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Prints the instructions of one case, or why there are none.
count() {
    local status=0
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --collect-atstart=no \
        --toggle-collect='count::measured*' "$program" "$1" "$2" >"$scratch/log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        grep -v '^==' "$scratch/log" || cat "$scratch/log"
        return $status
    fi
    sed -n 's/^totals: //p' "$scratch/out"
}

failed=0
found=$scratch/found
: >"$found"
judged=yes
if [ -z "$update" ] && ! grep -qxF "# $compiler" "$pins"; then
    judged=no
    echo "the pins are of $(sed -n 's/^# \(rustc .*\)/\1/p' "$pins"), this is $compiler: compared, not judged"
fi
"$program" >"$scratch/cases"
while read -r operation width; do
    status=0
    n=$(count "$operation" "$width") || status=$?
    if [ $status -eq 3 ]; then
        echo "$operation $width: not counted: $n"
        [ "${SKIP_MISSING_WIDTHS-}" = 1 ] && [ -z "$update" ] || failed=1
        continue
    elif [ $status -ne 0 ] || [ -z "$n" ] || [ "$n" -eq 0 ]; then
        echo "$operation $width: the count failed: $n" >&2
        exit 1
    fi
    echo "$operation $width $n" >>"$found"
    pin=$(awk -v o="$operation" -v w="$width" '$1 == o && $2 == w { print $3 }' "$pins" 2>/dev/null || true)
    if [ -z "$pin" ]; then
        echo "$operation $width: $n instructions, no pin"
        failed=1
        continue
    fi
    change=$(awk -v n="$n" -v pin="$pin" 'BEGIN { printf "%+.2f", 100 * (n - pin) / pin }')
    verdict=$(awk -v c="$change" -v t=$tolerance 'BEGIN { c += 0; print (c > t) ? "above" : (c < -t) ? "below" : "" }')
    case $verdict in
        above) remark=", more than $tolerance % above"; failed=1 ;;
        below) remark=", more than $tolerance % below: lower the pin" ;;
        *) remark= ;;
    esac
    echo "$operation $width: $n instructions, pinned $pin ($change %)$remark"
done <"$scratch/cases"

if [ -n "$update" ]; then
    if [ "$(wc -l <"$found")" -ne "$(wc -l <"$scratch/cases")" ]; then
        echo "not every case was counted: $pins stays as it is" >&2
        exit 1
    fi
    {
        echo "# Instructions of one operation on one thread, profile dev, by valgrind: operation, width, count."
        echo "# Written by tools/instructions.sh --update."
        echo "# $compiler"
        cat "$found"
    } >"$pins"
    echo "$pins written"
    exit 0
fi
while read -r operation width _; do
    grep -qx "$operation $width" "$scratch/cases" || { echo "$operation $width: a pin without a case"; failed=1; }
done < <(grep -v '^#' "$pins")
[ "$judged" = yes ] || exit 0
if [ $failed -ne 0 ]; then
    echo "see above; if a change is meant: tools/instructions.sh --update" >&2
    exit 1
fi
