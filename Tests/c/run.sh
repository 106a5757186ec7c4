#!/usr/bin/env bash
# Builds and runs the C and C++ tests against a build folder:  Tests/c/run.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The build folder has no file of the SONAME; a program that is linked looks for that.
ln -s "$build/libgarface.so" "$work/libgarface.so.1"
link="$build/libgarface.so -Wl,-rpath,$work"

for source in Tests/c/test_*.c; do
    name=$(basename "$source" .c)
    cc -std=c11 -pedantic -Wall -Wextra -Werror -O1 -g -pthread -IInclude -ITests/c "$source" -o "$work/$name" $link -lm
    "$work/$name" "$work"
done
for source in Tests/cpp/test_*.cpp; do
    name=$(basename "$source" .cpp)
    c++ -std=c++17 -pedantic -Wall -Wextra -Werror -O1 -g -pthread -IInclude "$source" -o "$work/$name" $link
    "$work/$name" "$work"
done
