"""Many photos: what is done, what fails, what is done again; Python, tool and Dask."""
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import garface

TOOL = os.environ.get("GARFACE_TOOL") or str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/garface-cli")
# Quick: the inverse network's start, and files that need no texture.
FAST = {"renderer": "start", "files": ["parameters", "landmarks"]}
FAST_TOOL = ["--renderer", "start", "--files", "parameters,landmarks"]


@pytest.fixture
def photos(photo, no_face, tmp_path):
    """Two photos that show a face, one that shows none, one that is damaged, and a file that is no photo."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(photo, folder / "a.png")
    garface.Image(np.ascontiguousarray(garface.Image(photo).array()[:, ::-1])).save(folder / "deep/b.png")
    garface.Image(no_face).save(folder / "hills.png")
    (folder / "torn.png").write_bytes(photo.read_bytes()[:2000])
    (folder / "notes.txt").write_text("no photo")
    return folder


def check_rows(rows):
    assert [pathlib.PurePath(row["folder"]).name for row in rows] == ["a.png", "b.png", "hills.png", "torn.png"]
    assert [row["status"] for row in rows] == ["done", "done", "failed", "failed"]
    assert [row["error"] for row in rows] == ["GAR_OK", "GAR_OK", "GAR_NO_FACE", "GAR_MALFORMED_FILE"]
    for row in rows:
        assert garface._signatures.CONSTANTS[row["error"]] == row["code"]
        assert (len(row["message"]) > 20) == (row["status"] == "failed")


def times(output):
    return {p: p.stat().st_mtime_ns for p in sorted(output.rglob("*")) if p.is_file() and not p.name.startswith("manifest")}


def test_batch_and_what_is_done_again(photos, tmp_path, models):
    out, seen = tmp_path / "out", []
    rows = garface.batch(photos, out, threads=2, progress=lambda *news: seen.append(news), **FAST)
    check_rows(rows)
    assert len(seen) == 4 and sorted(n[0] for n in seen) == [1, 2, 3, 4] and all(n[1] == 4 for n in seen)
    a = garface.reconstruct(photos / "a.png", models=models, renderer="start")
    written = json.loads((out / "a.png/parameters.json").read_text())
    assert np.allclose(written["identity"], a.identity, atol=1e-5)
    assert abs(rows[0]["faces"][0]["yaw"] - a.yaw) < 1e-3
    assert sorted(p.name for p in (out / "deep/b.png").iterdir()) == sorted([*rows[1]["files"], "batch.json"])
    assert [p.name for p in (out / "torn.png").iterdir()] == ["batch.json"]

    # Both manifests tell the same.
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["total"], manifest["done"], manifest["failed"], manifest["left"]) == (4, 2, 2, 0)
    assert [r["photo"] for r in manifest["photos"]] == [r["photo"] for r in rows]
    with open(out / "manifest.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [r["message"] for r in table] == [r["message"] for r in rows]
    assert float(table[0]["yaw"]) == pytest.approx(a.yaw, abs=0.01)

    # Again: only the failures are tried.
    before = times(out)
    check_rows(garface.batch(photos, out, **FAST))
    changed = {p.relative_to(out).parts[0] for p, t in times(out).items() if before[p] != t}
    assert changed == {"hills.png", "torn.png"}
    before = times(out)
    check_rows(garface.batch(photos, out, retry_failures=False, **FAST))
    assert times(out) == before

    # A result with a file missing, a photo that has changed, and one that was repaired are done again; nothing else.
    (out / "a.png/landmarks.pts").unlink()
    shutil.copy(photos / "a.png", photos / "torn.png")
    stamp = (photos / "deep/b.png").stat()
    os.utime(photos / "deep/b.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 10**9))
    before = times(out)
    rows = garface.batch(photos, out, retry_failures=False, **FAST)
    assert [row["status"] for row in rows] == ["done", "done", "failed", "done"]
    assert before[out / "hills.png/batch.json"] == times(out)[out / "hills.png/batch.json"]
    assert all(before[out / f] != times(out)[out / f] for f in ("a.png/batch.json", "deep/b.png/batch.json", "torn.png/batch.json"))

    # So is a result with a damaged file: empty, cut or grown. A record that says no sizes is taken as it is.
    for damage in (b"", b"{}", (out / "a.png/parameters.json").read_bytes() + b" "):
        (out / "a.png/parameters.json").write_bytes(damage)
        garface.batch(photos, out, retry_failures=False, **FAST)
        assert json.loads((out / "a.png/parameters.json").read_text())["identity"] == written["identity"]
    record = json.loads((out / "a.png/batch.json").read_text())
    assert record["file_bytes"] == [(out / "a.png" / name).stat().st_size for name in record["files"]]
    del record["file_bytes"]
    (out / "a.png/batch.json").write_text(json.dumps(record))
    before = times(out)
    garface.batch(photos, out, retry_failures=False, **FAST)
    assert times(out) == before

    # Other options: everything again, and files that are no longer asked for do not stay.
    rows = garface.batch(photos, out, renderer="start", files=["landmarks"], manifest=False)
    assert rows[0]["files"] == ["landmarks.pts", "landmarks_static.pts", "landmarks.json"]


def test_lists_and_names(photo, tmp_path):
    shutil.copy(photo, tmp_path / "a.png")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/a.png\r\n\n{tmp_path}/sub/../a.png\n/no/such.png\n")
    (tmp_path / "sub").mkdir()
    rows = garface.batch([tmp_path / "list.txt", tmp_path / "a.png"], tmp_path / "out", **FAST)
    assert [row["error"] for row in rows] == ["GAR_OK", "GAR_OK", "GAR_FILE_NOT_FOUND"]
    assert rows[0]["folder"] == str(tmp_path / "a.png")[1:] and "__" in rows[1]["folder"]
    # A photo that does not exist gets no folder.
    assert [(tmp_path / "out" / row["folder"]).exists() for row in rows] == [True, True, False]
    assert (tmp_path / "out" / rows[0]["folder"] / "batch.json").exists()
    # The results are not searched for photos.
    shutil.copy(photo, tmp_path / "out/inside.png")
    rows = garface.batch(tmp_path, tmp_path / "out", **FAST)
    assert [row["folder"] for row in rows] == ["a.png"]
    with pytest.raises(garface.MissingFileError):
        garface.batch(tmp_path / "none.txt", tmp_path / "out")
    for wrong in ([], 3, [None]):
        with pytest.raises(garface.InvalidArgumentError, match="inputs"):
            garface.batch(wrong, tmp_path / "out")
    with pytest.raises(garface.InvalidArgumentError, match="threads"):
        garface.batch(tmp_path / "a.png", tmp_path / "out", threads=300)
    (tmp_path / "file").write_text("")
    with pytest.raises(garface.UnwritableError):
        garface.batch(tmp_path / "a.png", tmp_path / "file", **FAST)


def test_what_is_no_list(photo, tmp_path):
    """Files of another kind make no folders; comments and a byte order mark do not count; nothing to do is said."""
    shutil.copy(photo, tmp_path / "a.png")
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbf" + f"{tmp_path}/a.png\n  \n# a comment\n{tmp_path}/gone.png\n".encode())
    rows = garface.batch(tmp_path / "list", tmp_path / "out", **FAST)
    assert [row["error"] for row in rows] == ["GAR_OK", "GAR_FILE_NOT_FOUND"] and not list((tmp_path / "out").rglob("gone.png"))
    for content in (b"\0\0\0\x18ftypmp42", b"caf\xe9.png\n", b"a" * 5000, b'{\n "kind": "reconstruction"\n}\n'):
        (tmp_path / "film.mp4").write_bytes(content)
        with pytest.raises(garface.MalformedFileError, match="film.mp4: is neither a picture .* nor a list"):
            garface.batch(tmp_path / "film.mp4", tmp_path / "none", **FAST)
    done = run("batch", "-", "-o", tmp_path / "none", *FAST_TOOL, input=content.decode())
    assert done.returncode == 4 and "standard input: is neither" in done.stderr and len(done.stderr) < 300
    done = run("batch", "-", "-o", tmp_path / "out", *FAST_TOOL, input="/no\033[2Jsuch.png\n")
    assert done.returncode == 7 and "\\u{1b}[2J" in done.stderr and "\033" not in done.stderr
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes").write_text("# nothing\n")
    for inputs in (tmp_path / "empty", tmp_path / "empty/notes"):
        with pytest.raises(garface.MissingFileError, match="no photo there"):
            garface.batch(inputs, tmp_path / "none")
    with pytest.raises(garface.InvalidArgumentError, match="is the output folder"):
        garface.batch(tmp_path, tmp_path)
    assert run("batch", "-", "-o", tmp_path / "none", input="\n").returncode == 4
    assert run("batch", tmp_path, "-o", tmp_path).returncode == 2
    assert not (tmp_path / "none").exists()


def test_cancelled_batch_goes_on(photos, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(garface.CancelledError):
        garface.batch(photos, out, threads=1, progress=lambda through, total, row: through < 1, **FAST)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["done"] >= 1 and manifest["left"] >= 1
    assert manifest["done"] + manifest["failed"] + manifest["left"] == manifest["total"] == 4

    class Odd(Exception):
        pass

    def fail(*_):
        raise Odd

    with pytest.raises(Odd):
        garface.batch(photos, tmp_path / "other", progress=fail, **FAST)
    check_rows(garface.batch(photos, out, **FAST))


def run(*arguments, **options):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=600, **options)


def test_tool(photos, photo, tmp_path):
    out = tmp_path / "out"
    done = run("batch", photos, "-o", out, "--jobs", 2, *FAST_TOOL)
    assert done.returncode == 7 and "2 of 4 photos done, 2 failed" in done.stdout, done
    assert "hills.png: no face was found" in done.stderr and "torn.png" in done.stderr
    done = run("batch", photos, "-o", out, "--keep-failures", *FAST_TOOL)
    assert done.returncode == 7 and "(4 before)" in done.stdout
    assert run("batch", "-", "-o", tmp_path / "one", "--quiet", *FAST_TOOL, input=f"{photos}/a.png\n").returncode == 0
    assert run("batch", photo, "-o", tmp_path / "file", *FAST_TOOL).returncode == 0
    (photos / "hills.png").unlink()
    (photos / "torn.png").unlink()
    done = run("batch", photos, "-o", out, *FAST_TOOL)
    assert done.returncode == 0 and "2 photos of the manifest before are not in this one" in done.stdout
    done = run("batch", photos, "-o", out, *FAST_TOOL)
    assert done.returncode == 0 and "manifest before" not in done.stdout
    for code, arguments in [
        (2, []), (2, [photos]), (2, [photos, "-o", out, "--jobs", 0]), (2, [photos, "-o", out, "--files", "x"]),
        (4, [tmp_path / "none.txt", "-o", out]), (5, [photos, "-o", photos / "notes.txt"]),
    ]:
        done = run("batch", *arguments)
        assert done.returncode == code and len(done.stderr) > 10, (arguments, done)


def test_names_that_are_not_utf_8(photo, tmp_path):
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)
    for name in (b"ok.png", b"\xff\xfe.png", b"\xff.txt"):
        shutil.copy(os.fsencode(photo), folder + b"/" + name)
    done = run("batch", tmp_path / "in", "-o", tmp_path / "out", *FAST_TOOL)
    assert done.returncode == 7 and "1 of 2 photos done" in done.stdout and "not UTF-8" in done.stderr, done


def test_tool_is_interrupted_cleanly(photo, tmp_path):
    """Ctrl-C leaves whole results only, and the same command goes on."""
    for i in range(40):
        shutil.copy(photo, tmp_path / f"{i:02}.png")
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{i:02}.png\n" for i in range(40)))
    command = [TOOL, "batch", str(tmp_path / "list.txt"), "-o", str(tmp_path / "out"), "--jobs", "1", "--files", "parameters",
               "--renderer", "landmarks"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "out").rglob("batch.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 6 and "goes on from there" in complaint, complaint
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["done"] >= 1 and manifest["left"] >= 1
    for folder in {p.parent for p in (tmp_path / "out").rglob("*.*") if p.parent.name.endswith(".png")}:
        assert sorted(p.name for p in folder.iterdir()) == ["batch.json", "parameters.json", "parameters.safetensors"]
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{i:02}.png\n" for i in range(manifest["done"] + 1)))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and f"({manifest['done']} before)" in done.stdout, done


def test_dask(photos, tmp_path, root, library_file):
    """The example on a local cluster of two processes."""
    pytest.importorskip("dask")
    pytest.importorskip("distributed")
    script = f"""
import json, pathlib, sys
sys.path.insert(0, {str(root / "examples/python")!r})
import dask_batch
from dask.distributed import Client, LocalCluster
if __name__ == "__main__":
    dask_batch.PER_TASK = 1
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        rows = dask_batch.run(client, pathlib.Path({str(photos)!r}), pathlib.Path({str(tmp_path / "out")!r}), **{FAST!r})
        pids = client.run(lambda: [__import__("os").getpid(), "garface" in sys.modules])
    print(json.dumps([rows, list(pids.values())]))
"""
    (tmp_path / "cluster.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(root / "bindings/python"), "GARFACE_LIBRARY": library_file}
    done = subprocess.run([sys.executable, tmp_path / "cluster.py"], capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    rows, workers = json.loads(done.stdout.splitlines()[-1])
    check_rows(rows)
    assert len({pid for pid, _ in workers}) == 2 and any(loaded for _, loaded in workers)
    assert json.loads((tmp_path / "out/manifest.json").read_text())["total"] == 4
