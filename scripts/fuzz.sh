#!/bin/sh
# Hands damaged files to every parser of the core, or to those named, each for a number of seconds:
#     scripts/fuzz.sh SECONDS [TARGET...]
# Needs cargo-fuzz (cargo install cargo-fuzz), no libtorch and no nightly toolchain. What is found on the way
# stays in fuzz/corpus; a file that breaks a parser is named, and stays in fuzz/artifacts.
set -eu

cd "$(dirname "$0")/.."
seconds=$1
shift
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is not installed: cargo install cargo-fuzz" >&2
    exit 1
fi
# Code of ours is safe Rust: no sanitizer, which takes half of the speed. Overflow is checked nevertheless.
options="--sanitizer none"
[ $# -gt 0 ] || set -- $(cargo fuzz list)
broken=
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    log=$(mktemp)
    # A file may take a gigabyte at once, two together, and ten seconds.
    if cargo fuzz run $options "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=32768 \
        -print_final_stats=1 >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
        echo "$target: $runs files in $seconds s, at most $peak MB, none breaks it"
    else
        tail -n 40 "$log"
        broken="$broken $target"
    fi
    rm -f "$log"
done
[ -z "$broken" ] || { echo "broken:$broken" >&2; exit 1; }
