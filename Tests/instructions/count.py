#!/usr/bin/env python3
"""Counts the instructions of the hot paths under callgrind and compares them with the table in counts.json.

usage: Tests/instructions/count.py BUILD [--update] [--tolerance PERCENT]

BUILD is .build/release (with oneDNN) or .build/base/release (without). Instructions do not depend on what else the machine
does, so that a path that has become dearer shows where times are noise. Valgrind knows no AVX-512: everything is counted
with the AVX2 kernels of this library, oneDNN and OpenBLAS, one thread. Counts belong to a compiler and to versions of these
libraries; after a change of those, and after a change that is meant, --update writes the table anew.
Ends with 1 where a path takes more instructions than the table says by more than the tolerance.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENVIRONMENT = {
    "OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "DNNL_MAX_CPU_ISA": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2", "SWIFT_DETERMINISTIC_HASHING": "1",
}
ONE, THREE = "fit: stage of one iteration", "fit: stage of three iterations"


def counted(build):
    """{path: instructions} of one run."""
    with tempfile.TemporaryDirectory() as folder:
        # Without its symbols, which valgrind cannot read everywhere.
        subprocess.run(["strip", "-o", os.path.join(folder, "libgarface.so.1"), os.path.join(build, "libgarface.so")], check=True)
        program = os.path.join(folder, "paths")
        subprocess.run(
            ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", f"-I{ROOT}/Include", f"{HERE}/paths.c", "-o", program,
             f"{build}/libgarface.so", f"-Wl,-rpath,{folder}"], check=True)
        subprocess.run(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out", "-q", program,
             f"{ROOT}/examples/data/astronaut.png"], check=True, env=os.environ | ENVIRONMENT)
        found = {}
        for path in glob.glob(f"{folder}/out.*"):
            with open(path) as f:
                text = f.read()
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
            total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
            if name and total:
                found[name.group(1)] = int(total.group(1))
    stage = found.pop(ONE), found.pop(THREE)
    found["fit: iteration at full size"] = (stage[1] - stage[0]) // 2
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="a build folder with libgarface.so")
    parser.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("--tolerance", type=float, default=3, metavar="PERCENT", help="of a path's count; default 3")
    a = parser.parse_args()
    build = os.path.abspath(a.build)
    info = subprocess.run([os.path.join(build, "garface-cli"), "info"], capture_output=True, text=True, check=True).stdout
    kind = "with oneDNN" if "onednn" in info.lower() else "without oneDNN"
    table_path = os.path.join(HERE, "counts.json")
    table = {}
    if os.path.exists(table_path):
        with open(table_path) as f:
            table = json.load(f)
    expected, found, worse = table.get(kind, {}), counted(build), []
    print(f"instructions, {kind}")
    for name, n in sorted(found.items()):
        line = f"  {name:40} {n / 1e6:10.2f} million"
        if name in expected:
            change = 100 * (n / expected[name] - 1)
            line += f"   {change:+6.1f} %"
            if change > a.tolerance:
                line += "   MORE"
                worse.append(name)
            elif change < -a.tolerance:
                line += "   fewer: --update"
        print(line)
    missing = sorted(set(expected) - set(found))
    if a.update:
        table[kind] = dict(sorted(found.items()))
        with open(table_path, "w") as f:
            json.dump(table, f, indent=1, sort_keys=True)
            f.write("\n")
        return 0
    if not expected:
        print("no table for this build: --update writes one")
        return 1
    if worse or missing:
        print("dearer than the table: " + ", ".join(worse) if worse else "not counted: " + ", ".join(missing))
        return 1
    print("within the tolerance")
    return 0


if __name__ == "__main__":
    sys.exit(main())
