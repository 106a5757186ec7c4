"""What a Python package offers, from its docstrings and signatures."""
from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import re
import types
from typing import Any, Iterator


@dataclasses.dataclass
class Item:
    """A name with its members; `kind` is class, exception, function, method, property, attribute or module."""

    name: str
    kind: str
    signature: str
    doc: str
    members: list["Item"]


def _signature(thing: Any) -> str:
    try:
        text = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return ""
    return re.sub(r"\bself(, )?", "", text.replace("'", ""))


def _doc(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__) if getattr(thing, "__doc__", None) else ""


def _attribute_docs(cls: type) -> dict[str, tuple[str, str]]:
    """Annotated fields of a class with the comment or the string beside them."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return {}
    lines, found = source.split("\n"), {}
    for node in ast.parse(inspect.cleandoc("\n" + source) if source.startswith(" ") else source).body[0].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            comment = lines[node.end_lineno - 1].partition("#")[2].strip()
            above = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
            found[node.target.id] = (ast.unparse(node.annotation), comment or above.removeprefix("#").strip() if (
                comment or above.startswith("#")) else "")
    return found


def _members(cls: type) -> Iterator[Item]:
    """Everything public of a class and of those of the package that it is made from."""
    seen: set[str] = set()
    for owner in cls.__mro__:
        if not owner.__module__.startswith("garface"):
            continue
        fields = _attribute_docs(owner)
        for name in [*fields, *vars(owner)]:
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            value = vars(owner).get(name)
            if name in fields:
                yield Item(name, "attribute", fields[name][0], fields[name][1], [])
            elif isinstance(value, (classmethod, staticmethod)):
                yield Item(name, "method", _signature(getattr(cls, name)), _doc(value.__func__), [])
            elif isinstance(value, types.FunctionType):
                yield Item(name, "method", _signature(value), _doc(value), [])
            elif isinstance(value, (property, functools.cached_property)):
                yield Item(name, "property", "", _doc(value), [])
            else:
                yield Item(name, "attribute", repr(value), "", [])


def items(module: types.ModuleType, names: list[str]) -> list[Item]:
    found = []
    for name in names:
        thing = getattr(module, name)
        if isinstance(thing, type):
            kind = "exception" if issubclass(thing, BaseException) else "class"
            members = list(_members(thing))
            found.append(Item(name, kind, _signature(thing) if kind == "class" else "", _doc(thing), members))
        elif callable(thing):
            found.append(Item(name, "function", _signature(thing), _doc(thing), []))
        elif isinstance(thing, types.ModuleType):
            found.append(Item(name, "module", "", _doc(thing), []))
        else:
            found.append(Item(name, "attribute", repr(type(thing).__name__), "", []))
    return found
