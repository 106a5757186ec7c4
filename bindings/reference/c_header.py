"""Takes a C header apart into parts, comments and declarations."""
from __future__ import annotations

import dataclasses
import re


@dataclasses.dataclass
class Entry:
    """A declaration, or several that belong together, with the comment above it."""

    names: list[str]        # what it declares, functions first
    comment: str
    code: str


@dataclasses.dataclass
class Part:
    title: str
    comment: str
    entries: list[Entry]


def _plain(comment: str) -> str:
    lines = [re.sub(r"^ ?\*? ?", "", line) for line in comment.strip().removeprefix("/*").removesuffix("*/").split("\n")]
    return "\n".join(lines).strip("\n")


def _names(code: str) -> list[str]:
    without = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    found = re.findall(r"\b(gar_\w+)\(", without) if not without.lstrip().startswith("typedef") else []
    found += re.findall(r"typedef[^;{]*?\(\*(\w+)\)", without)
    found += re.findall(r"typedef[^;{(]*?\b(gar_\w+);", without) + re.findall(r"\}\s*(gar_\w+);", without)
    found += re.findall(r"\b(GAR_[A-Z0-9_]+)\s*=", without) + re.findall(r"#define (GARFACE_\w+)", without)
    return list(dict.fromkeys(found))


def parse(text: str) -> tuple[str, list[Part]]:
    """What the header says at its beginning, and its numbered parts."""
    top = re.match(r"/\*.*?\*/", text, re.S).group(0)
    body = text[len(top):]
    parts: list[Part] = []
    # The parts begin with a banner: ===== number. title =====
    pieces = re.split(r"/\* =+\n \* (\d+\. .*)\n \* =+ \*/", body)
    for title, content in zip(pieces[1::2], pieces[2::2]):
        entries, comment = [], ""
        # Comments at the left margin belong to what follows until the next one.
        for block in re.split(r"(?m)^(/\*(?:.|\n)*?\*/)[ ]*$", content):
            if block.startswith("/*") and not _names(block):
                comment = _plain(block)
                continue
            code = re.sub(r"(?s)#ifdef __cplusplus.*", "", block).strip("\n")
            for piece in re.split(r"\n\n+", code):
                if _names(piece):
                    entries.append(Entry(_names(piece), comment, piece.strip("\n")))
                    comment = ""
        parts.append(Part(title, "", entries))
    return _plain(top), parts
