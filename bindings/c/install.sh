#!/usr/bin/env bash
# Installs header, library, tool, pkg-config file, CMake package, man page and shell completions from a release build.
#
#   bindings/c/install.sh PREFIX [BUILD]     BUILD defaults to .build/release
#
# The result can be moved: pkg-config and CMake files find themselves.
set -euo pipefail
if [ $# -lt 1 ]; then sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=$1
build=${2:-$root/.build/release}
version=$(awk '/^#define GARFACE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", sep, $3; sep = "." }' "$root/Include/garface.h")

if [ ! -f "$build/libgarface.so" ]; then
    echo "install: $build/libgarface.so is not there; run: swift build -c release" >&2
    exit 1
fi
mkdir -p "$prefix"/{include,bin,lib/pkgconfig,lib/cmake/garface,share/doc/garface,share/man/man1}
mkdir -p "$prefix"/share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
install -m 644 "$root/Include/garface.h" "$prefix/include/"
install -m 755 "$build/libgarface.so" "$prefix/lib/libgarface.so.1"
ln -sf libgarface.so.1 "$prefix/lib/libgarface.so"
install -m 755 "$build/garface-cli" "$prefix/bin/garface"
# Debian 12's valgrind gives up on programs with the debugging information of Swift.
if command -v strip >/dev/null; then strip --strip-debug "$prefix/lib/libgarface.so.1" "$prefix/bin/garface"; fi
sed "s/@VERSION@/$version/" "$root/bindings/c/garface.pc.in" > "$prefix/lib/pkgconfig/garface.pc"
install -m 644 "$root/bindings/c/cmake/garfaceConfig.cmake" "$prefix/lib/cmake/garface/"
sed "s/@VERSION@/$version/" "$root/bindings/c/cmake/garfaceConfigVersion.cmake.in" \
    > "$prefix/lib/cmake/garface/garfaceConfigVersion.cmake"
# What the tool says about itself: its options are in the page and the completions, or it is a defect of the parser.
if command -v python3 >/dev/null; then
    "$build/garface-cli" --experimental-dump-help | python3 "$root/bindings/c/man_page.py" "$version" \
        > "$prefix/share/man/man1/garface.1"
else
    echo "install: no python3, so no man page; garface help says the same" >&2
fi
completion() { "$build/garface-cli" --generate-completion-script "$1" > "$prefix/share/$2"; }
completion bash bash-completion/completions/garface
completion zsh zsh/site-functions/_garface
completion fish fish/vendor_completions.d/garface.fish
for file in LICENSE NOTICE; do
    [ ! -f "$root/$file" ] || install -m 644 "$root/$file" "$prefix/share/doc/garface/"
done
echo "installed garface $version in $prefix"
