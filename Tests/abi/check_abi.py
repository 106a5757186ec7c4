#!/usr/bin/env python3
"""Holds the header, the exports, their Swift declarations and the Python tables together.

    check_abi.py LIBRARY [--update]

Compared, by name and by the type of every argument:
  - the functions of Include/garface.h
  - the @_cdecl functions of Sources/CGarface
  - SIGNATURES of bindings/python/garface/_signatures.py
  - the symbols LIBRARY defines for others (nm -D), which must be gar_* and nothing else
  - Tests/abi/exports.txt, the committed list: a symbol may join it (--update), never leave it
and the enumerators and structs of the header with the Python constants and structures.
"""
import ctypes
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "Include/garface.h"
EXPORTS = ROOT / "Tests/abi/exports.txt"

failures = []


def fail(message):
    failures.append(message)


# --- the header ------------------------------------------------------------------------------

text = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.S)
text = re.sub(r"^\s*#.*?$", " ", text, flags=re.M)
handles = set(re.findall(r"typedef struct (gar_\w+) \1;", text))
structs = {}
for body, name in re.findall(r"typedef struct gar_\w+ \{(.*?)\} (gar_\w+);", text, flags=re.S):
    structs[name] = [re.findall(r"(\w+)(?:\[\w+\])?$", f.strip())[0] for f in body.split(";") if f.strip()]
callbacks = set(re.findall(r"\(\*(gar_\w+)\)", text))
enumerators = {}
for body in re.findall(r"enum \{(.*?)\};", text, flags=re.S):
    for name, value in re.findall(r"(GAR_\w+) = (-?\w+)", body):
        enumerators[name] = int(value, 0)
aliases = {n: t for t, n in re.findall(r"typedef (u?int\d+_t) (gar_\w+);", text)}
SCALARS = {
    "int32_t": "i32", "uint32_t": "u32", "uint64_t": "u64", "int64_t": "i64", "size_t": "size",
    "float": "f32", "double": "f64", "bool": "bool", "uint8_t": "u8", "char": "char", "void": "void",
}


def c_type(declaration):
    """A C type in one word, such as "i32", "const f32*", "handle", "gar_options*"."""
    stars = declaration.count("*")
    words = declaration.replace("*", " ").split()
    constant = "const" in words
    base = [w for w in words if w != "const"][0]
    base = aliases.get(base, base)
    if base in callbacks:
        return base
    if base in handles:
        return {1: "handle", 2: "handle*"}[stars]
    base = SCALARS.get(base, base)
    if base == "void" and stars:
        return "void*"
    return ("const " if constant and stars else "") + base + "*" * stars


header = {}
for result, name, arguments in re.findall(r"([\w ]+?[ *]+)(gar_\w+)\(([^()]*)\);", text):
    arguments = [] if arguments.strip() in ("", "void") else arguments.split(",")
    types = []
    for argument in arguments:
        argument = argument.strip()
        array = re.sub(r"\s*\w+\[\d+\]$", " *", argument)  # float matrix[9] is a pointer
        types.append(c_type(array if array != argument else re.sub(r"\w+$", "", argument)))
    header[name] = (c_type(result), types)

# --- Swift -----------------------------------------------------------------------------------


def swift_type(name):
    name = name.strip().replace("@escaping ", "").rstrip("?")
    simple = {
        "Int32": "i32", "UInt32": "u32", "UInt64": "u64", "Int64": "i64", "Int": "size", "Float": "f32",
        "Double": "f64", "Bool": "bool", "UInt8": "u8", "CChar": "char", "OpaquePointer": "handle",
        "UnsafeMutableRawPointer": "void*", "Void": "void",
    }
    if name in simple:
        return simple[name]
    if name in callbacks:
        return name
    if name in aliases:
        return SCALARS[aliases[name]]
    pointer = re.fullmatch(r"Unsafe(Mutable)?Pointer<(.*)>", name)
    if pointer:
        inner = swift_type(pointer[2])
        if inner == "handle":
            return "handle*"
        if inner.startswith("const "):  # a pointer to pointers to const
            return inner + "*"
        return ("" if pointer[1] else "const ") + inner + "*"
    return name


swift = {}
for path in sorted((ROOT / "Sources/CGarface").glob("**/*.swift")):
    pattern = r'@_cdecl\("(gar_\w+)"\)\s*public func \w+\((.*?)\)\s*(?:-> ([^{]+?))?\s*\{'
    for name, arguments, result in re.findall(pattern, path.read_text(), flags=re.S):
        types = [swift_type(a.split(":", 1)[1]) for a in arguments.split(",") if a.strip()]
        swift[name] = (swift_type(result or "Void"), types)

# --- Python ----------------------------------------------------------------------------------

location = ROOT / "bindings/python/garface/_signatures.py"
specification = importlib.util.spec_from_file_location("_signatures", location)
table = importlib.util.module_from_spec(specification)
specification.loader.exec_module(table)
python = {
    name: (table.type_name(result), [table.type_name(a) for a in arguments])
    for name, (result, arguments) in table.SIGNATURES.items()
}

# --- the comparison --------------------------------------------------------------------------


def comparable(signature):
    """size_t and uint64_t are one type to ctypes on 64-bit Linux, and it knows no const."""
    return [t.replace("u64", "size").replace("const ", "") for t in (signature[0], *signature[1])]


def exactly(signature):
    return [signature[0], *signature[1]]


for other, name, same in ((swift, "Sources/CGarface", exactly), (python, "_signatures.py", comparable)):
    for function in sorted(header.keys() | other.keys()):
        if function not in other:
            fail(f"{function}: in the header, not in {name}")
        elif function not in header:
            fail(f"{function}: in {name}, not in the header")
        elif same(header[function]) != same(other[function]):
            fail(f"{function}: {name} has {other[function]}, the header {header[function]}")

library = pathlib.Path(sys.argv[1])
listing = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
exported = {line.split()[-1] for line in listing.splitlines()}
for symbol in sorted(exported):
    if not symbol.startswith("gar_"):
        fail(f"{symbol}: exported by {library.name}; only gar_* may be")
for function in sorted(header.keys() - exported):
    fail(f"{function}: in the header, not exported by {library.name}")
for function in sorted(exported - header.keys()):
    fail(f"{function}: exported by {library.name}, not in the header")

committed = EXPORTS.read_text().split() if EXPORTS.exists() else []
for symbol in sorted(set(committed) - exported):
    fail(f"{symbol}: in exports.txt, not exported any more; that breaks programs that use it")
if "--update" in sys.argv:
    EXPORTS.write_text("\n".join(sorted(set(committed) | exported)) + "\n")
else:
    for symbol in sorted(exported - set(committed)):
        fail(f"{symbol}: not in exports.txt; add it with check_abi.py --update")

for name in sorted(enumerators.keys() | table.CONSTANTS.keys()):
    if enumerators.get(name) != table.CONSTANTS.get(name):
        fail(f"{name}: {enumerators.get(name)} in the header, {table.CONSTANTS.get(name)} in _signatures.py")

needed = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
for line in needed.splitlines():
    if "swift" in line.lower() or "foundation" in line.lower().split("=>")[0]:
        fail(f"{library.name} needs a Swift library: {line.strip()}")

# --- struct layouts, as a C compiler sees them -------------------------------------------------

lines = ["#include <stdio.h>", '#include "garface.h"', "int main(void) {"]
for name, fields in structs.items():
    lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
    for field in fields:
        lines.append(f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));')
lines.append("return 0; }")
with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder) / "layout.c"
    source.write_text("\n".join(lines))
    program = source.with_suffix("")
    subprocess.run(["cc", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{HEADER.parent}", source, "-o", program], check=True)
    layout = dict(line.split() for line in subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines())
for name, fields in structs.items():
    structure = table.STRUCTURES.get(name)
    if structure is None:
        fail(f"{name}: no such structure in _signatures.py")
        continue
    if [f[0] for f in structure._fields_] != fields:
        fail(f"{name}: other fields in _signatures.py than in the header")
        continue
    if ctypes.sizeof(structure) != int(layout[name]):
        fail(f"{name}: {ctypes.sizeof(structure)} bytes in Python, {layout[name]} in C")
    for field in fields:
        if getattr(structure, field).offset != int(layout[f"{name}.{field}"]):
            fail(f"{name}.{field}: at another offset in Python than in C")
for name in sorted(table.STRUCTURES.keys() - structs.keys()):
    fail(f"{name}: a structure of _signatures.py that the header has not")

# --- the header alone ---------------------------------------------------------------------------

for compiler in (
    ["cc", "-x", "c", "-std=c11"], ["c++", "-x", "c++", "-std=c++17"],
):
    command = compiler + ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(HEADER)]
    outcome = subprocess.run(command, capture_output=True, text=True)
    # "#pragma once in main file" style remarks do not apply: the header uses a guard.
    if outcome.returncode != 0:
        fail(f"{' '.join(command)}:\n{outcome.stderr}")

for message in failures:
    print("abi:", message)
if failures:
    sys.exit(1)
print(f"abi: {len(header)} functions, {len(structs)} structs, {len(enumerators)} constants agree")
