#!/usr/bin/env python3
"""Many photos on many machines, with Dask:  python3 dask_batch.py PHOTOS OUT [SCHEDULER]

Without the address of a scheduler a cluster of two processes is started on this machine. Elsewhere: `dask scheduler` on
one machine, `dask worker tcp://THAT:8786 --nthreads 1` on each, all of which see PHOTOS and OUT under the same paths.

Each worker process loads the library and its models once. A task is a handful of photos; what is done is in OUT, photo by
photo, so that the same command goes on where it was ended, and a task that a lost worker left half done costs little.
"""
from __future__ import annotations

import pathlib
import sys
import time

PER_TASK = 8


def reconstruct(photos: list[str], output: str, options: dict) -> list[dict]:
    """On a worker: these photos, one after the other."""
    import garface  # loads the library; models are loaded by the first task of a process and kept

    return garface.batch(photos, output, threads=1, manifest=False, **options)


def run(client, folder: pathlib.Path, output: pathlib.Path, **options) -> list[dict]:
    """All photos of a folder through the workers of a client; the rows of the manifest, which is written to `output`."""
    from dask.distributed import as_completed

    import garface

    photos = sorted(str(p) for p in folder.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    tasks = [photos[i : i + PER_TASK] for i in range(0, len(photos), PER_TASK)]
    # pure=False: the work is in the files that a task leaves, so it is not skipped because it was asked for before.
    futures = client.map(reconstruct, tasks, output=str(output), options=options, pure=False)
    through = 0
    for _, rows in as_completed(futures, with_results=True):
        through += len(rows)
        print(f"\r{through} of {len(photos)} photos", end="", flush=True)
    print()
    # Everything is there: this only gathers it into manifest.csv and manifest.json.
    return garface.batch(photos, output, retry_failures=False, **options)


def main() -> int:
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    from dask.distributed import Client, LocalCluster

    start = time.monotonic()
    cluster = sys.argv[3] if len(sys.argv) == 4 else LocalCluster(n_workers=2, threads_per_worker=1)
    with Client(cluster) as client:
        rows = run(client, pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    failed = [row for row in rows if row["status"] == "failed"]
    print(f"{len(rows) - len(failed)} photos done, {len(failed)} failed, in {time.monotonic() - start:.0f} s")
    for row in failed:
        print(f"{row['photo']}: {row['message']}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
