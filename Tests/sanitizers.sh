#!/usr/bin/env bash
# Runs the library's tests under sanitizers: AddressSanitizer (with LeakSanitizer) over Swift and C together with
# UndefinedBehaviorSanitizer over the C sources, then ThreadSanitizer with several contexts on several threads.
#
#   Tests/sanitizers.sh [address|thread|all] [long]
#
# `long` runs every Swift and C test; else those that read files, manage handles and memory, and the short ones of the
# rest. (swiftc has no UndefinedBehaviorSanitizer on Linux: Swift's own checks of arithmetic, casts and indices are
# always on.) The builds stay in .build/address and .build/thread; Tests/fuzz.sh uses the first.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
which=${1:-all}
length=${2:-short}
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
swift_libraries=$(dirname "$clang")/../lib/swift/linux
photo=$root/examples/data/astronaut.png
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:detect_odr_violation=0
export LSAN_OPTIONS=suppressions=$root/Tests/sanitizers/leaks.txt:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=suppressions=$root/Tests/sanitizers/threads.txt:halt_on_error=1:second_deadlock_stack=1

failed=()
try() { # name, command...
    local name=$1 start=$SECONDS
    shift
    echo "--- $name"
    if "$@"; then echo "ok, $((SECONDS - start)) s: $name"; else failed+=("$name"); return 1; fi
}

c_program() { # sanitizers, build folder, source, arguments...
    local kind=$1 build=$2 source=$3 name
    name=$(basename "$3" .c)
    shift 3
    ln -sf "$build/libgarface.so" "$work/libgarface.so.1"
    # ThreadSanitizer's runtime knows libdispatch and wants to find it.
    local dispatch=()
    [ "$kind" = thread ] && dispatch=(-L"$swift_libraries" -ldispatch -lBlocksRuntime -Wl,-rpath,"$swift_libraries")
    "$clang" -std=c11 -D_POSIX_C_SOURCE=200809L -O1 -g -fuse-ld=lld -fsanitize="$kind" -pthread -IInclude -ITests/c "$source" \
        -o "$work/$name" "$build/libgarface.so" -Wl,-rpath,"$work" -lm "${dispatch[@]}" || return
    mkdir -p "$work/files"
    "$work/$name" "$work/files" "$@"
}

address() {
    # The counters of executed edges are for Tests/fuzz.sh.
    local edges=edge,trace-cmp,inline-8bit-counters,pc-table
    local options=(-c release --scratch-path .build/address --sanitize=address --manifest-cache none
        -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined -Xswiftc -sanitize-coverage=$edges -Xcc -fsanitize-coverage=$edges)
    try "address: build" swift build "${options[@]}" --build-tests || return
    local build=$root/.build/address/release
    [ -f "$build/libgarface.so" ] || { failed+=("address: no library"); return; }
    for name in basics head threads; do try "address: test_$name" c_program address,undefined "$build" Tests/c/test_$name.c "$photo" 1; done
    try "address: test_renderer" c_program address,undefined "$build" Tests/c/test_renderer.c - \
        Tests/RendererTests/Resources/gar64.weights.safetensors
    [ "$length" = long ] && try "address: test_reconstruct" c_program address,undefined "$build" Tests/c/test_reconstruct.c "$photo"
    local quick='NumericsTests|HostileFile|ModelFile|ImageFile|MeshFile|OutputFolder|GLBFile|HeadModelTests|DamagedParameters|Schedule|NetworkTests'
    if [ "$length" = long ]; then
        try "address: all Swift tests" swift test "${options[@]}" --skip-build
    else
        try "address: Swift tests that read files" swift test "${options[@]}" --skip-build --filter "$quick"
    fi
}

thread() {
    try "thread: build" swift build -c release --scratch-path .build/thread --sanitize=thread --manifest-cache none --product garface
    local build=$root/.build/thread/release
    [ -f "$build/libgarface.so" ] || { failed+=("thread: no library"); return; }
    try "thread: test_threads" c_program thread "$build" Tests/c/test_threads.c "$photo" 1
    try "thread: test_basics" c_program thread "$build" Tests/c/test_basics.c "$photo"
    [ "$length" = long ] && try "thread: test_reconstruct" c_program thread "$build" Tests/c/test_reconstruct.c "$photo"
}

case $which in
    address) address ;;
    thread) thread ;;
    all) address; thread ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
if [ ${#failed[@]} -gt 0 ]; then
    printf 'sanitizers: FAILED: %s\n' "${failed[@]}" >&2
    exit 1
fi
