#!/usr/bin/env bash
# Builds and runs the C and C++ tests against a build folder:  Tests/c/run.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The build folder has no file of the SONAME; a program that is linked looks for that.
ln -s "$build/libgarface.so" "$work/libgarface.so.1"
photo=$PWD/examples/data/astronaut.png
link="$build/libgarface.so -Wl,-rpath,$work"

for source in Tests/c/test_*.c; do
    name=$(basename "$source" .c)
    # popen is POSIX, not C11.
    cc -std=c11 -D_POSIX_C_SOURCE=200809L -pedantic -Wall -Wextra -Werror -O1 -g -pthread -IInclude -ITests/c "$source" \
        -o "$work/$name" $link -lm
    "$work/$name" "$work" "$photo"
done
# The renderer's test again, with weights from a file.
"$work/test_renderer" "$work" - Tests/RendererTests/Resources/gar64.weights.safetensors
for source in Tests/cpp/test_*.cpp; do
    name=$(basename "$source" .cpp)
    c++ -std=c++17 -pedantic -Wall -Wextra -Werror -O1 -g -pthread -IInclude "$source" -o "$work/$name" $link
    "$work/$name" "$work"
done
