#!/usr/bin/env bash
# Fuzzes every reader for a given time: those of the library with libFuzzer under AddressSanitizer and UBSan, those of the
# Python converters with a mutator of our own. What is found stays in .build/fuzz, to be tried again with
# `.build/fuzz/read_NAME FILE`.
#
#   Tests/fuzz.sh [SECONDS]      in all, 80 by default
#
# It needs the build of Tests/sanitizers.sh address (in .build/address) and a release build (.build/release).
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
seconds=${1:-80}
build=$root/.build/address/release
place=$root/.build/fuzz
resources=$root/Tests
[ -f "$build/libgarface.so" ] || { echo "fuzz: no $build/libgarface.so; run: Tests/sanitizers.sh address" >&2; exit 1; }
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
mkdir -p "$place"
ln -sf "$build/libgarface.so" "$place/libgarface.so.1"

# Small models beside the one that is damaged, and random networks as seeds.
export GARFACE_FUZZ_HEAD=$root/Tests/fuzz/corpus/head/linear.safetensors
export GARFACE_FUZZ_RENDERER=$resources/RendererTests/Resources/gar32wide.weights.safetensors
export GARFACE_FUZZ_INVERSE=$resources/InversionTests/Resources/inverse.random.safetensors
export GARFACE_FUZZ_DETECTOR=$resources/InversionTests/Resources/face_detector.random.safetensors
# A huge allocation is a finding, and so is one that is refused by the system.
export ASAN_OPTIONS=allocator_may_return_null=0:detect_leaks=1:detect_odr_violation=0
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

seeds() { # reader: its files
    case $1 in
        image) ls "$root"/Tests/ReconstructionTests/Resources/images/* ;;
        head) ls "$root"/Tests/fuzz/corpus/head/* ;;
        renderer) echo "$GARFACE_FUZZ_RENDERER" ;;
        inverse) echo "$GARFACE_FUZZ_INVERSE" "$resources"/InversionTests/Resources/{close_up,covering}.random.safetensors ;;
        detector) echo "$GARFACE_FUZZ_DETECTOR" ;;
        *) ls "$root/Tests/fuzz/corpus/$1"/* ;;
    esac
}

readers=(image landmarks head renderer inverse detector schedule view)
failed=()
each=$((seconds * 2 / 3 / ${#readers[@]}))
for reader in "${readers[@]}"; do
    "$clang" -g -O1 -fuse-ld=lld -fsanitize=fuzzer,address,undefined -DREADER="read_$reader" -IInclude Tests/fuzz/fuzz_readers.c \
        -o "$place/read_$reader" "$build/libgarface.so" -Wl,-rpath,"$place" -lm || { failed+=("$reader: build"); continue; }
    corpus=$place/corpus-$reader
    rm -rf "$corpus"
    mkdir -p "$corpus" "$place/found"
    seeds "$reader" | while read -r file; do cp "$file" "$corpus/"; done
    if "$place/read_$reader" -seed="${GARFACE_FUZZ_SEED:-1}" -max_total_time="$each" -timeout=20 -rss_limit_mb=3000 \
        -malloc_limit_mb=1024 -max_len=400000 -artifact_prefix="$place/found/$reader-" "$corpus" >"$place/$reader.log" 2>&1; then
        grep -E '^Done|stat::number_of_executed_units' "$place/$reader.log" | sed "s/^/$reader: /"
        grep -qE 'Done [1-9]' "$place/$reader.log" || failed+=("$reader: nothing ran")
    else
        tail -n 60 "$place/$reader.log" >&2
        failed+=("$reader")
    fi
done

python=python3
[ -x .build/python/bin/python ] && python=$root/.build/python/bin/python
PYTHONPATH=$root/bindings/python GARFACE_LIBRARY=$root/.build/release/libgarface.so \
    $python Tests/fuzz/fuzz_converters.py --seconds $((seconds / 3)) --seed "${GARFACE_FUZZ_SEED:-1}" || failed+=(converters)

if [ ${#failed[@]} -gt 0 ]; then
    printf 'fuzz: FAILED: %s\n' "${failed[@]}" >&2
    exit 1
fi
