"""Writes the reference of the C and Python interfaces as HTML, from the header's comments and the docstrings.

    PYTHONPATH=bindings/python python3 bindings/reference/make.py [FOLDER]      .build/reference unless given

The pages are index.html, c.html and python.html; each name has an anchor of its own (c.html#gar_reconstruct,
python.html#garface.reconstruct). No package beyond numpy is needed, and the library need not be built.
"""
from __future__ import annotations

import html
import importlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import c_header  # noqa: E402
import python_package  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The modules that are meant to be used, and where their names come from.
MODULES = {"garface": None, "garface.convert": None, "garface.convert.__main__": ["convert", "main"]}

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre, code { font: 14px/1.45 ui-monospace, monospace; }
pre { background: color-mix(in srgb, currentColor 7%, transparent); padding: .6rem .8rem; overflow-x: auto; border-radius: 4px; }
section { margin: 1.6rem 0; } section section { margin-left: 1.5rem; }
h2 { border-bottom: 1px solid color-mix(in srgb, currentColor 30%, transparent); margin-top: 3rem; }
h3, h4 { font-family: ui-monospace, monospace; margin: 0 0 .3rem; } .kind { opacity: .6; font-weight: normal; }
nav { columns: 14rem; } nav a { display: block; font: 14px ui-monospace, monospace; } a { color: LinkText; }
pre.text { background: none; padding: 0; white-space: pre-wrap; }
"""


def page(title: str, body: str) -> str:
    return (
        f"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n")


def linked(text: str, known: set[str], prefix: str = "") -> str:
    """Escaped text in which every known name is a link to where it stands."""
    return re.sub(
        r"[A-Za-z_][\w.]*", lambda m: f'<a href="{prefix}#{m[0]}">{m[0]}</a>' if m[0] in known else m[0], html.escape(text, quote=False))


def c_page(header: str) -> str:
    top, parts = c_header.parse(header)
    known = {name for part in parts for entry in part.entries for name in entry.names}
    body = [f"<pre class=\"text\">{linked(top, known)}</pre>"]
    for part in parts:
        body.append(f"<h2>{html.escape(part.title)}</h2>\n<nav>")
        body += [f'<a href="#{name}">{name}</a>' for entry in part.entries for name in entry.names if name.startswith("gar_")]
        body.append("</nav>")
        for entry in part.entries:
            anchors = "".join(f'<a id="{name}"></a>' for name in entry.names)
            body.append(
                f"<section>{anchors}<h3>{html.escape(entry.names[0])}</h3><pre>{linked(entry.code, known - {entry.names[0]})}</pre>"
                f"<pre class=\"text\">{linked(entry.comment, known)}</pre></section>")
    return page("garface.h", "\n".join(body))


def python_items(items: list[python_package.Item], module: str, level: int) -> list[str]:
    body = []
    for item in items:
        whole = f"{module}.{item.name}"
        body.append(
            f'<section id="{whole}"><h{level}><span class="kind">{item.kind}</span> {html.escape(item.name + item.signature) if item.kind != "attribute" else html.escape(f"{item.name}: {item.signature}")}</h{level}>'
            f'<pre class="text">{html.escape(item.doc, quote=False)}</pre>')
        body += python_items(item.members, whole, 4)
        body.append("</section>")
    return body


def public(name: str, listed: list[str] | None) -> tuple[object, list[str]]:
    module = importlib.import_module(name)
    return module, listed or list(module.__all__)


def python_page() -> str:
    body = []
    for name, listed in MODULES.items():
        module, names = public(name, listed)
        body.append(f"<h2 id=\"{name}\">{name}</h2><pre class=\"text\">{html.escape((module.__doc__ or '').strip(), quote=False)}</pre><nav>")
        body += [f'<a href="#{name}.{n}">{n}</a>' for n in names]
        body.append("</nav>")
        body += python_items(python_package.items(module, names), name, 3)
    return page("The Python package garface", "\n".join(body))


def main() -> int:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".build/reference")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "c.html").write_text(c_page((ROOT / "Include/garface.h").read_text("utf-8")), "utf-8")
    (folder / "python.html").write_text(python_page(), "utf-8")
    (folder / "index.html").write_text(page("garface reference", (
        '<ul><li><a href="c.html">C: garface.h</a></li><li><a href="python.html">Python: garface, garface.convert</a></li></ul>'
        "<p>The tool's is its man page, or <code>garface help COMMAND</code>.</p>")), "utf-8")
    print(f"written to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
