"""Feeds damaged face models to every converter: in seeded order, so that a failure can be had again.

    python3 Tests/fuzz/fuzz_converters.py [--seconds 30] [--seed 0] [--first N] [--only KIND] [--keep FOLDER]

A converter may refuse a file (ConversionError) or convert it, and then the library must load the result: anything else, such
as another exception, a crash, more memory than LIMIT, or more than SLOW seconds, is a failure. It is printed with the number
of its trial; `--seed S --first N --seconds 0` runs that one alone, and --keep writes the damaged file.
"""
from __future__ import annotations

import argparse
import multiprocessing
import pathlib
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback

import garface
from garface.convert import ConversionError
from garface.convert.__main__ import convert

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus/converters"
LIMIT = 2 << 30     # bytes of address space that a trial may add
SLOW = 20           # seconds

# kind, the file that is damaged, how the converter gets it
CASES = [
    ("basel-2009", "basel-2009.mat", {}), ("basel-2017", "basel-2017.h5", {}), ("deep3d", "deep3d.mat", {}),
    ("surrey", "surrey.bin", {}), ("surrey", "surrey-blendshapes.bin", {"as": "blendshapes", "source": "surrey.bin"}),
    ("facewarehouse", "facewarehouse.mat", {}), ("ict-facekit", "ict/generic_neutral_mesh.obj", {"folder": True}),
    ("flame", "flame.pkl", {"shapes": 3}), ("flame", "flame.npz", {"shapes": 3}),
    ("flame", "flame-embedding.pkl", {"as": "embedding", "source": "flame.npz", "shapes": 3}),
    ("basel-2009", "mapping.txt", {"as": "landmarks", "source": "basel-2009.mat"}),
]

NUMBERS = [struct.pack("<i", n) for n in (0, 1, -1, 2**31 - 1, -(2**31), 65536, 1 << 28)] + [
    struct.pack("<q", n) for n in (-1, 2**63 - 1, 1 << 40, 1 << 32)] + [
    struct.pack("<f", x) for x in (float("nan"), float("inf"), 3e38, -3e38, 1e-45)] + [
    struct.pack("<d", x) for x in (float("nan"), float("inf"), 1e308, -1e308, 0.0)]
WORDS = [b"nan", b"inf", b"-1", b"0", b"1e400", b"99999999999999999999", b"2147483648", b"/", b"\n", b"#", b" ", b"\xff"]


def damaged(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.choice([1, 1, 1, 2, 4, 16])):
        # The sizes and names are near the beginning in most formats: half of the damage goes there.
        at = chance.randrange(min(len(data), 2048) if chance.random() < 0.5 else len(data)) if data else 0
        kind = chance.randrange(8)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[at : at + chance.choice([1, 4, 64, 1000])]
        elif kind == 2:
            data[at:at] = data[chance.randrange(len(data) + 1) :][: chance.choice([1, 4, 64, 1000])]
        elif kind == 3:
            word = chance.choice(WORDS)
            data[at : at + len(word)] = word
        elif kind in (4, 5):
            number = chance.choice(NUMBERS)
            at &= ~3
            data[at : at + len(number)] = number
        elif data:
            data[min(at, len(data) - 1)] ^= 1 << chance.randrange(8) if kind == 6 else chance.randrange(1, 256)
    return bytes(data)


def trial(number: int, seed: int, cases: list, work: pathlib.Path, keep: str | None) -> str:
    """One damaged file through its converter; "converted" or "refused"."""
    chance = random.Random(f"{seed}/{number}")
    kind, name, how = cases[number % len(cases)]
    data = damaged((CORPUS / name).read_bytes(), chance)
    file = work / pathlib.Path(name).name
    file.write_bytes(data)
    if keep:
        (pathlib.Path(keep) / f"{seed}-{number}-{file.name}").write_bytes(data)
    options = {"landmarks": str(CORPUS / "mapping.txt")}
    if "shapes" in how:
        options["shapes"] = how["shapes"]
    source = str(CORPUS / how["source"]) if "source" in how else str(work if how.get("folder") else file)
    if "as" in how:
        options[how["as"]] = [str(file)] if how["as"] == "embedding" else str(file)
    target = work / "head.safetensors"
    target.unlink(missing_ok=True)
    try:
        convert(kind, source, str(target), **options)
    except ConversionError as problem:
        assert len(str(problem)) > 10, "a refusal without a sentence"
        assert not target.exists(), "refused, and yet a file was written"
        return "refused"
    # What was written, the library reads and evaluates.
    head = garface.HeadModel(str(target))
    head.landmarks(head.evaluate())
    return "converted"


def run(first: int, seed: int, until: float, cases: list, keep: str | None, report) -> None:
    """Trials in a process of its own, which may die: what it is at, it says beforehand."""
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT, used + LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as folder:
        work, number = pathlib.Path(folder), first
        while number == first or time.monotonic() < until:
            report.send(("at", number))
            signal.alarm(SLOW)
            try:
                report.send((trial(number, seed, cases, work, keep), number))
            except BaseException:
                report.send(("failed", number, traceback.format_exc()))
            signal.alarm(0)
            number += 1
    report.send(("end", number))


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--seconds", type=float, default=30)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--first", type=int, default=0, help="the trial to begin with")
    p.add_argument("--only", help="a kind of model")
    p.add_argument("--keep", metavar="FOLDER", help="keep the damaged files")
    a = p.parse_args()
    cases = [case for case in CASES if a.only in (None, case[0])]
    outcomes = {"refused": 0, "converted": 0}
    failures, number, until = [], a.first, time.monotonic() + a.seconds
    while True:
        here, there = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(target=run, args=(number, a.seed, until, cases, a.keep, there))
        process.start()
        there.close()
        last, ended = number, False
        try:
            while True:
                kind, last, *rest = here.recv()
                if kind in outcomes:
                    outcomes[kind] += 1
                elif kind == "failed":
                    failures.append((last, rest[0]))
                elif kind == "end":
                    ended = True
        except EOFError:
            pass
        process.join()
        if ended:
            break
        code = process.exitcode
        failures.append((last, f"took more than {SLOW} s" if code == -signal.SIGALRM else f"the process died: exit code {code}"))
        number = last + 1
        if time.monotonic() >= until:
            break
    for at, problem in failures[:10]:
        print(f"trial {at} of seed {a.seed} ({cases[at % len(cases)][1]}):\n{problem}", file=sys.stderr)
    print(f"converters: {outcomes['refused']} refused, {outcomes['converted']} converted, {len(failures)} failures")
    if a.seconds > 5 and not (outcomes["refused"] and outcomes["converted"]):
        print("converters: nothing was tried", file=sys.stderr)
        return 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
