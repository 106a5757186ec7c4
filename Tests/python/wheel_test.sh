#!/usr/bin/env bash
# Makes the wheel, installs it into an empty environment and reconstructs the sample photo there, with no variable
# set and away from the repository; nothing may come from this machine but what every Linux system has.
#
#   Tests/python/wheel_test.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bash bindings/python/build_wheel.sh "$work/wheel" "$build"
python3 -m venv "$work/empty"
"$work/empty/bin/pip" install -q --disable-pip-version-check "$work"/wheel/garface-*.whl
cp examples/data/astronaut.png "$work/photo.png"
cat > "$work/try.py" <<'END'
import pathlib
import re
import sys

import garface

result = garface.reconstruct("photo.png", renderer="start")
assert result.vertices.shape == (15622, 3), result.vertices.shape
result.write("out")
assert pathlib.Path("out/head.glb").stat().st_size > 1_000_000
print(garface.__version__, garface.build_info())

# Every library in this process: of the environment, of Python, or one that auditwheel's manylinux may count on.
everywhere = re.compile(r"(libc|libm|libdl|librt|libpthread|libutil|libstdc\+\+|libgcc_s|libz|ld-linux-x86-64|libpython[\d.]+)\.so|libffi|libexpat|libb?z2|liblzma|libcrypto|libssl")
environment = pathlib.Path(sys.prefix).resolve()
bundled = set()
for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
    file = line.split(maxsplit=5)[-1] if ".so" in line else ""
    if not file:
        continue
    path = pathlib.Path(file)
    if environment in path.parents:
        bundled.add(path.name)
    else:
        assert everywhere.match(path.name) or "lib-dynload" in file, f"from this machine: {file}"
for name in ("libgarface", "libopenblas", "libpng"):
    assert any(file.startswith(name) for file in bundled), (name, sorted(bundled))
assert list(environment.glob("lib/python3*/site-packages/garface/licences/*.txt"))
END
cd "$work"
env -i PATH=/usr/bin:/bin HOME="$work" "$work/empty/bin/python" -I try.py
echo "wheel: an empty environment reconstructs the sample photo"
