"""The generated reference misses nothing: no exported function, no type or constant of the header, no public Python name."""
import html.parser
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import garface
import garface.convert
from garface import _signatures

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Page(html.parser.HTMLParser):
    """Anchors, links and the text after each anchor; and whether the tags match."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.open, self.text = {}, set(), [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag != "meta":
            self.open.append(tag)
        if "id" in attributes:
            assert attributes["id"] not in self.anchors, f"{attributes['id']} twice"
            self.anchors[attributes["id"]] = len(self.text)
        if "href" in attributes:
            self.links.add(attributes["href"])

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)

    def after(self, anchor):
        """The words that follow an anchor."""
        return "".join(self.text[self.anchors[anchor]:])


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    done = subprocess.run([sys.executable, ROOT / "bindings/reference/make.py", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {file.name: Page(file.read_text()) for file in folder.glob("*.html")}


def test_every_exported_function(pages):
    page = pages["c.html"]
    exported = (ROOT / "Tests/abi/exports.txt").read_text().split()
    assert len(exported) >= 60
    for name in exported:
        assert name in page.anchors, name
        words = page.after(name)[:6000]
        assert words.startswith(name) and "Since 0." in words, f"{name}: {words[:300]}"


def test_every_type_and_constant(pages):
    page = pages["c.html"]
    code = re.sub(r"/\*.*?\*/", "", (ROOT / "Include/garface.h").read_text(), flags=re.S)
    names = set(re.findall(r"\b(?:gar|GAR|GARFACE)_\w+", code)) - {"GARFACE_H"}
    assert len(names) > 130 and set(_signatures.CONSTANTS) <= names
    fields = {n for n in names if re.search(rf"\bstruct {n}\b", code) and n not in page.anchors}
    assert not names - set(page.anchors) - fields, names - set(page.anchors)


def test_comments_go_with_their_functions(pages):
    page = pages["c.html"]
    for name, words in (
        ("gar_image_decode", "from the bytes of a PNG or JPEG"), ("gar_pose_angles", "The angles, in degrees, of a rotation matrix"),
        ("gar_fit_release", "its results stay valid"), ("gar_progress_callback", "Return true to go on"),
        ("GAR_WRITE_GLB", "Which files are written to a folder"), ("gar_version", "10000 * major"),
    ):
        assert words in page.after(name)[:8000], name


def test_every_public_python_name(pages):
    page = pages["python.html"]
    for module in (garface, garface.convert):
        for name in module.__all__:
            thing = getattr(module, name)
            whole = f"{module.__name__}.{name}"
            assert whole in page.anchors, whole
            if not inspect.isclass(thing):
                continue
            for owner in thing.__mro__:
                if not owner.__module__.startswith("garface"):
                    continue
                for member in [*vars(owner), *getattr(owner, "__annotations__", {})]:
                    if not member.startswith("_"):
                        assert f"{whole}.{member}" in page.anchors, f"{whole}.{member}"


def test_every_public_python_name_says_what_it_is():
    missing = []
    for name in garface.__all__:
        thing = getattr(garface, name)
        if (inspect.isclass(thing) or callable(thing)) and not inspect.getdoc(thing):
            missing.append(name)
        if inspect.isclass(thing):
            missing += [f"{name}.{m}" for m, value in vars(thing).items() if not m.startswith("_") and (
                inspect.isfunction(value) or isinstance(value, property)) and not inspect.getdoc(value)]
    assert not missing, missing


def test_links_lead_somewhere(pages):
    for name, page in pages.items():
        for link in page.links:
            file, _, anchor = link.partition("#")
            target = pages[file or name]
            assert not anchor or anchor in target.anchors, link
