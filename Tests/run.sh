#!/usr/bin/env bash
# Runs every test: Swift, ABI, C, C++, Python, tool, in two builds; then under sanitizers, with damaged files, and the
# training and evaluation programs.
#
#   Tests/run.sh             installs what is missing, then runs everything
#   Tests/run.sh full        the build with every library that is there (in .build)
#   Tests/run.sh base        the build with OpenBLAS and libpng alone (in .build/base)
#   Tests/run.sh sanitizers  a short selection under Address-, UndefinedBehavior- and ThreadSanitizer, then fuzzing for 80 s
#   Tests/run.sh training    training and evaluation in Python, with PyTorch (6 GB in .build/training where it is missing)
#
# Everything is built in release: debug numerics would take hours.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD

bash bindings/requirements.sh test || exit 1
python=python3
[ -x .build/python/bin/python ] && python=$root/.build/python/bin/python

failed=()
summary=()
step() {  # name, command...
    local name=$1 start=$SECONDS
    shift
    echo "=== $name"
    if "$@"; then
        summary+=("ok      $((SECONDS - start)) s  $name")
    else
        summary+=("FAILED  $((SECONDS - start)) s  $name")
        failed+=("$name")
        return 1
    fi
}

quick_start() {  # the README's first command, into a folder of its own
    local folder
    folder=$(mktemp -d)
    bash examples/quickstart.sh "$root/examples/data/astronaut.png" "$folder/out" && [ -s "$folder/out/overlay.png" ]
    local outcome=$?
    rm -rf "$folder"
    return $outcome
}

test_build() {  # full | base
    local kind=$1 scratch=$root/.build
    unset GARFACE_WITHOUT_ONEDNN GARFACE_WITHOUT_JPEG
    if [ "$kind" = base ]; then
        scratch=$root/.build/base
        export GARFACE_WITHOUT_ONEDNN=1 GARFACE_WITHOUT_JPEG=1
    fi
    # Whether oneDNN and libjpeg are there is asked when the manifest is read: never take a cached answer.
    local swift_options=(-c release --scratch-path "$scratch" --manifest-cache none)
    local build=$scratch/release
    step "$kind: build" swift build "${swift_options[@]}" --build-tests || return
    [ -f "$build/libgarface.so" ] || { failed+=("$kind: no library"); return; }
    export GARFACE_LIBRARY=$build/libgarface.so GARFACE_TOOL=$build/garface-cli
    step "$kind: Swift tests" swift test "${swift_options[@]}" --skip-build
    if [ "$kind" = full ]; then
        # The kernels of processors without AVX-512, and what takes over where there are none.
        step "$kind: Swift tests with AVX2" env GARFACE_MAX_ISA=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 swift test "${swift_options[@]}" --skip-build
        step "$kind: Swift tests without kernels" env GARFACE_MAX_ISA=NONE swift test "${swift_options[@]}" --skip-build
    fi
    step "$kind: ABI" $python Tests/abi/check_abi.py "$build/libgarface.so"
    step "$kind: C and C++ tests" bash Tests/c/run.sh "$build"
    step "$kind: install, pkg-config, CMake" bash Tests/c/install_test.sh "$build"
    if [ "$kind" = full ]; then
        step "$kind: README quick start" quick_start
        step "$kind: memory stays flat" bash Tests/soak.sh 60 "$build"
        step "$kind: Python wheel in an empty environment" bash Tests/python/wheel_test.sh "$build"
    fi
    step "$kind: Python and tool tests" env PYTHONPATH="$root/bindings/python" $python -m pytest -q -p no:cacheprovider Tests/python
}

test_sanitizers() {
    unset GARFACE_WITHOUT_ONEDNN GARFACE_WITHOUT_JPEG
    [ -f "$root/.build/release/libgarface.so" ] || step "sanitizers: release build" swift build -c release || return
    step "sanitizers: address and undefined behaviour" bash Tests/sanitizers.sh address
    step "sanitizers: damaged files" bash Tests/fuzz.sh 80
    step "sanitizers: threads" bash Tests/sanitizers.sh thread
}

training_python() {  # a Python with the packages of garface[train]
    if $python -c 'import torch, cv2, numba, safetensors, scipy, skimage, sklearn, pytest' 2>/dev/null; then
        return
    fi
    python3 -m venv "$root/.build/training" && "$root/.build/training/bin/pip" install -q pytest "$root/bindings/python[train]" \
        && python=$root/.build/training/bin/python
}

test_training() {
    export GARFACE_LIBRARY=$root/.build/release/libgarface.so GARFACE_TOOL=$root/.build/release/garface-cli
    [ -f "$GARFACE_LIBRARY" ] || step "training: build" swift build -c release || return
    step "training: packages" training_python || return
    step "training: tests" env PYTHONPATH="$root/bindings/python" OMP_NUM_THREADS=1 $python -m pytest -q -p no:cacheprovider \
        Tests/python/test_training.py Tests/python/test_training_gar.py Tests/python/test_training_runs.py \
        Tests/python/test_training_obedience.py Tests/python/test_training_losses.py Tests/python/test_training_mistakes.py \
        Tests/python/test_training_guide.py Tests/python/test_training_covering.py Tests/python/test_covered.py \
        Tests/python/test_evaluation.py
}

case ${1:-all} in
    full) test_build full ;;
    base) test_build base ;;
    sanitizers) test_sanitizers ;;
    training) test_training ;;
    all) test_build full; test_build base; test_sanitizers; test_training ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

echo
printf '%s\n' "${summary[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: ${failed[*]}"
    exit 1
fi
echo "all tests passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
