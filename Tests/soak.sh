#!/usr/bin/env bash
# Reconstructs again and again in one process and compares its memory at the end with that after a tenth:
#
#   Tests/soak.sh [ROUNDS] [BUILD]      500 and .build/release unless given
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-500}
build=$(cd "${2:-.build/release}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$build/libgarface.so" "$work/libgarface.so.1"
cc -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror -O1 -g -IInclude -ITests/c Tests/c/soak.c -o "$work/soak" \
    "$build/libgarface.so" -Wl,-rpath,"$work"
"$work/soak" "$work/out" examples/data/astronaut.png "$rounds"
