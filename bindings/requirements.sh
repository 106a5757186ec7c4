#!/usr/bin/env bash
# Installs what building and testing garface need and this machine lacks (Debian 12 or the like).
#
#   bindings/requirements.sh build   what `swift build` needs: OpenBLAS, libpng, Python headers (the base),
#                                    oneDNN and libjpeg (faster convolutions, JPEG; left out where not to be had)
#   bindings/requirements.sh test    also what the tests need: a C++ compiler, CMake, pkg-config, numpy, scipy, h5py, pytest,
#                                    and what reads the results back: trimesh, pygltflib, a browser; dask and ffmpeg for the
#                                    examples of many photos (tests go on without these)
#
# GARFACE_WITHOUT_ONEDNN=1 and GARFACE_WITHOUT_JPEG=1 leave the two optional libraries alone.
set -euo pipefail

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

apt_get() {
    if [ "$(id -u)" = 0 ]; then DEBIAN_FRONTEND=noninteractive apt-get "$@"
    elif command -v sudo >/dev/null; then sudo DEBIAN_FRONTEND=noninteractive apt-get "$@"
    else
        echo "requirements: not root and no sudo; as root run: apt-get $*" >&2
        return 1
    fi
}

updated=0
install() {  # packages that are all missing
    if [ $updated = 0 ]; then apt_get update -qq || true; updated=1; fi
    apt_get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Installs those of the given packages that are missing; `need` fails without them, `want` only says so.
missing() { for package in "$@"; do installed "$package" || echo "$package"; done; }
need() { local list; list=$(missing "$@"); [ -z "$list" ] || install $list; }
want() {
    for package in $(missing "$@"); do
        install "$package" || echo "requirements: going on without $package" >&2
    done
}

if ! command -v swift >/dev/null; then
    echo "requirements: no swift on the PATH; install Swift 6.3 or later from https://swift.org/install/linux" >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null; then
    echo "requirements: not a Debian system; install OpenBLAS, libpng and Python headers by hand" >&2
    exit 0
fi

need libopenblas-dev libpng-dev python3-dev
optional=()
[ "${GARFACE_WITHOUT_ONEDNN:-}" = 1 ] || optional+=(libdnnl-dev)
[ "${GARFACE_WITHOUT_JPEG:-}" = 1 ] || optional+=(libjpeg-dev)
[ ${#optional[@]} = 0 ] || want "${optional[@]}"

if [ "${1:-build}" = test ]; then
    command -v c++ >/dev/null || need g++
    command -v cmake >/dev/null || want cmake
    command -v make >/dev/null || want make
    command -v pkg-config >/dev/null || want pkg-config
    command -v chromium >/dev/null || want chromium
    python3 -c 'import ensurepip' 2>/dev/null || want python3-venv    # the wheel is tried in an empty environment
    command -v ffmpeg >/dev/null || want ffmpeg
    root=$(cd "$(dirname "$0")/.." && pwd)
    python=python3
    [ -x "$root/.build/python/bin/python" ] && python=$root/.build/python/bin/python
    if ! $python -c 'import numpy, scipy, h5py, pytest, trimesh, pygltflib, PIL' 2>/dev/null; then
        # A private environment first: the system's Python may refuse packages of its own.
        need python3-venv
        python3 -m venv --system-site-packages "$root/.build/python" \
            && "$root/.build/python/bin/pip" install -q numpy scipy h5py pytest trimesh pygltflib pillow || {
            rm -rf "$root/.build/python"
            python3 -c 'import numpy, scipy, h5py, pytest' 2>/dev/null \
                || need python3-numpy python3-scipy python3-h5py python3-pytest
        }
    fi
    if [ -x "$root/.build/python/bin/pip" ] && ! "$root/.build/python/bin/python" -c 'import distributed' 2>/dev/null; then
        "$root/.build/python/bin/pip" install -q dask distributed || echo "requirements: going on without dask" >&2
    fi
fi
