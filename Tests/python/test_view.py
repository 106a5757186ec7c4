"""The page that shows a result: in a browser where there is one, and its text everywhere."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

import garface

TOOL = os.environ.get("GARFACE_TOOL") or str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/garface-cli")
BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH: the page was not looked at (apt install chromium)")

# Runs in the page once it is shown, and leaves what it saw as text for --dump-dom.
LOOK = """
<script>
(function wait() {
  if (!document.documentElement.dataset.state) {
    // The browser's clock is not the wall's: work passes the time that decoding pictures takes.
    for (let i = 0, x = 0; i < 3e7; i++) x += i;
    return setTimeout(wait, 20);
  }
  const answer = { state: document.documentElement.dataset.state, problem: document.getElementById("problem").textContent };
  const view = window.garface;
  if (view) {
    const canvas = document.getElementById("head");
    const grab = () => {
      const small = document.createElement("canvas");
      small.width = small.height = 64;
      const pen = small.getContext("2d"), side = Math.min(canvas.width, canvas.height);
      pen.drawImage(canvas, (canvas.width - side) / 2, (canvas.height - side) / 2, side, side, 0, 0, 64, 64);
      return Array.from(pen.getImageData(0, 0, 64, 64).data);
    };
    const of = (name) => [...document.querySelectorAll("#sliders label")].find((l) => l.firstChild.textContent === name).querySelector("input");
    answer.front = grab();
    view.turn(0.6, 0);
    answer.turned = grab();
    document.getElementById("front").click();
    answer.again = grab();
    document.getElementById("neutral").click();
    const jaw = of("jawOpen");
    jaw.value = 1;
    jaw.dispatchEvent(new Event("input"));
    answer.open = grab();
    document.getElementById("shade").click();
    answer.shape = grab();
    answer.sliders = document.querySelectorAll("#sliders input").length;
    answer.photo = [document.getElementById("photo").naturalWidth, document.getElementById("normals").naturalWidth];
    const losses = document.getElementById("losses");
    answer.drawn = Array.from(losses.getContext("2d").getImageData(0, 0, losses.width, losses.height).data).filter((v) => v).length;
    answer.legend = document.getElementById("legend").textContent;
  }
  const out = document.createElement("pre");
  out.id = "answer";
  out.textContent = "ANSWER" + JSON.stringify(answer) + "END";
  document.body.append(out);
})();
</script>
"""


def looked_at(page, folder):
    """What the page shows: its front view and others as (64, 64, 4) pictures, and what else LOOK found."""
    copy = folder / "looked_at.html"
    copy.write_text(page.read_text() + LOOK)
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", "--window-size=1400,900", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=60000", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    found = re.search(r"ANSWER(\{.*?\})END</pre>", done.stdout, re.S)
    assert found, done.stderr[-2000:]
    answer = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return {k: np.reshape(v, (64, 64, 4))[..., :3].astype(float) if isinstance(v, list) and len(v) == 64 * 64 * 4 else v
            for k, v in answer.items()}


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("view") / "out"
    result.write(folder)
    done = subprocess.run([TOOL, "view", folder], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.strip() == str(folder / "view.html")
    return folder


def test_the_page_needs_nothing_else(folder):
    text = (folder / "view.html").read_text()
    assert not re.search(r"<\w+[^<>]*\s(?:src|href)\s*=", text) and "http:" not in text and "https:" not in text
    assert "@import" not in text and "default-src 'none'" in text
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    assert data["parameters"] == json.loads((folder / "parameters.json").read_text())


@needs_browser
def test_in_a_browser(folder, result, tmp_path):
    seen = looked_at(folder / "view.html", tmp_path)
    assert (seen["state"], seen["problem"]) == ("shown", "")
    front = seen["front"]
    background = front[2, 2]
    head = np.abs(front - background).sum(axis=2) > 25
    assert 0.2 < head.mean() < 0.8 and front[head].std() > 20
    # The middle of the face has the colour of skin in this photo, and the hair above it is darker.
    skin = front[30:36, 28:36].reshape(-1, 3).mean(axis=0)
    assert skin[0] > skin[1] > skin[2] and skin[0] > 120
    assert front[12:16, 28:36].mean() < skin.mean()
    # Turned, moved, and in grey, it looks another way; turned back, the same.
    assert np.abs(seen["turned"] - front).mean() > 4 and np.array_equal(seen["again"], front)
    neutral_and_open = np.abs(seen["open"] - front)
    assert neutral_and_open[38:60].mean() > max(3, 1.5 * neutral_and_open[8:20].mean())
    assert np.ptp(seen["shape"][head], axis=1).mean() < 0.6 * np.ptp(front[head], axis=1).mean()
    # The expressions, and both eyes to the side and up.
    assert seen["sliders"] == 57 and seen["photo"] == [512, 512]
    assert seen["drawn"] > 1000 and "total" in seen["legend"]


@needs_browser
def test_a_damaged_page_says_so(folder, tmp_path):
    text = (folder / "view.html").read_text()
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace('"head":"', '"head":"AAAA'))
    seen = looked_at(broken, tmp_path)
    assert seen["state"] == "failed" and "glTF" in seen["problem"]


def test_faces_and_errors(photo, tmp_path):
    out = tmp_path / "all"
    garface.reconstruct_file(photo, out, renderer="start", all_faces=True)
    garface.write_view(out, face=1)
    assert (out / "face1_view.html").stat().st_size > 1_000_000
    for call in (lambda: garface.write_view(out), lambda: garface.write_view(out, face=7)):
        with pytest.raises(garface.MissingFileError, match="input.png"):
            call()
    with pytest.raises(garface.MissingFileError, match="several results, give --face 1"):
        garface.write_view(out)
    with pytest.raises(garface.InvalidArgumentError, match="face"):
        garface.write_view(out, face=-1)
    for name, damages in {
        "head.glb": (lambda b: b[:1000], lambda b: b[:-1], lambda b: b + b"x", lambda b: b"x" * 50, lambda b: b"",
                     lambda b: b[:20] + b"x" + b[21:]),
        "input.png": (lambda b: b"junk", lambda b: b[:1000]), "normals.png": (lambda b: b[:-500],),
    }.items():
        file = out / f"face1_{name}"
        whole = file.read_bytes()
        for damage in damages:
            file.write_bytes(damage(whole))
            with pytest.raises(garface.MalformedFileError, match=f"face1_{name}"):
                garface.write_view(out, face=1)
        file.write_bytes(whole)
    garface.write_view(out, face=1)
    (out / "face1_parameters.json").write_text("{}")
    with pytest.raises(garface.MalformedFileError, match="parameters.json"):
        garface.write_view(out, face=1)
    for arguments, code in ((["view", tmp_path], 4), (["view"], 2), (["view", out, "--face", 0], 2)):
        assert subprocess.run([TOOL, *map(str, arguments)], capture_output=True).returncode == code, arguments
