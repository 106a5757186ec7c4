#!/usr/bin/env bash
# Installs a build into a fresh prefix, moves it, builds the samples with one compiler line (pkg-config) and
# with CMake, and lets each of them, and the installed tool, reconstruct the sample photo.
#
#   Tests/c/install_test.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
photo=$PWD/examples/data/astronaut.png

bash bindings/c/install.sh "$work/first" "$build"
mv "$work/first" "$work/prefix" # what is installed finds itself
prefix=$work/prefix
export LD_LIBRARY_PATH=$prefix/lib PKG_CONFIG_PATH=$prefix/lib/pkgconfig

if ldd "$prefix/bin/garface" "$prefix/lib/libgarface.so.1" | grep -iE 'libswift|libFoundation|not found'; then
    echo "install: needs what a machine without Swift does not have" >&2
    exit 1
fi

complete() { # folder: everything a result consists of is there and not empty
    for file in parameters.json parameters.safetensors landmarks.pts head_posed.obj head_neutral.obj head_posed.ply head_neutral.ply normals.png depth.png render.png crop.png overlay.png; do
        [ -s "$1/$file" ] || { echo "install: $1/$file is missing" >&2; exit 1; }
    done
    if find "$1" -name '*.part' | grep -q .; then echo "install: temporary files in $1" >&2; exit 1; fi
}

if command -v pkg-config >/dev/null; then
    flags=$(pkg-config --cflags --libs garface)
    [ "$(pkg-config --modversion garface)" = 0.1.0 ]
else
    echo "NOTE: no pkg-config here; compiler flags given by hand" >&2
    flags="-I$prefix/include -L$prefix/lib -lgarface"
fi
cc -std=c11 -pedantic -Wall -Wextra -Werror examples/c/reconstruct.c -o "$work/c-sample" $flags
c++ -std=c++17 -pedantic -Wall -Wextra -Werror examples/cpp/reconstruct.cpp -o "$work/cpp-sample" $flags
"$work/c-sample" "$photo" "$work/out-c" 2>/dev/null
complete "$work/out-c"
"$work/cpp-sample" "$photo" "$work/out-cpp"
complete "$work/out-cpp/face-1"
if "$work/c-sample" /no/such/photo.png "$work/out-none" 2>/dev/null; then
    echo "install: the sample succeeded without a photo" >&2
    exit 1
fi
[ ! -e "$work/out-none" ]

if command -v cmake >/dev/null; then
    cmake -S examples -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    cmake --build "$work/cmake" >/dev/null
    "$work/cmake/reconstruct_c" "$photo" "$work/out-cmake" 2>/dev/null
    complete "$work/out-cmake"
else
    echo "NOTE: no CMake here and none could be installed; the CMake package was not tried" >&2
fi

# The man page has every command, option and argument, and troff has nothing to say about it.
"$prefix/bin/garface" --experimental-dump-help | python3 Tests/c/check_man_page.py "$prefix/share/man/man1/garface.1"
if command -v groff >/dev/null; then
    groff -man -Tascii -ww "$prefix/share/man/man1/garface.1" 2>"$work/troff" >"$work/page"
    [ ! -s "$work/troff" ] || { cat "$work/troff" >&2; exit 1; }
    grep -q 'reconstruct photo.png --output out' "$work/page"
fi

# The shells read their completions, and bash's gives what it should.
completed() { # words: what bash offers for the last one
    bash -c '
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        _garface garface "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' - "$prefix/share/bash-completion/completions/garface" "$@"
}
completed garface rec | grep -qx reconstruct
completed garface reconstruct --all | grep -qx -- --all-faces
for shell in zsh:zsh/site-functions/_garface fish:fish/vendor_completions.d/garface.fish; do
    [ -s "$prefix/share/${shell#*:}" ]
    grep -q all-faces "$prefix/share/${shell#*:}"
    if command -v "${shell%%:*}" >/dev/null; then "${shell%%:*}" -n "$prefix/share/${shell#*:}"; fi
done

"$prefix/bin/garface" reconstruct "$photo" --output "$work/out-tool" --quiet
complete "$work/out-tool"
# The same photo, seed and library: the same numbers from C and from the tool.
cmp "$work/out-c/parameters.safetensors" "$work/out-tool/parameters.safetensors"
echo "install: C, C++, CMake and tool reconstruct the sample photo"
