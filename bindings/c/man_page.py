"""Writes the tool's man page from what its argument parser says about itself.

    garface --experimental-dump-help | python3 bindings/c/man_page.py VERSION > garface.1
"""
import json
import sys


def escaped(text: str) -> str:
    """Text that troff shows as it stands."""
    text = text.replace("\\", "\\(rs").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def paragraphs(text: str) -> list[str]:
    """Lines that are indented are examples and keep their breaks."""
    lines = []
    for block in text.strip("\n").split("\n\n"):
        if block.startswith("  "):
            lines += [".PP", ".nf", ".RS 2", *(escaped(line[2:]) for line in block.split("\n")), ".RE", ".fi"]
        else:
            lines += [".PP", escaped(block)]
    return lines


def spelled(argument: dict) -> str:
    """-o, --output FILE"""
    if argument["kind"] == "positional":
        return f"<{argument['valueName']}>"
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    names = ", ".join(dashes[name["kind"]] + name["name"] for name in argument["names"])
    return names + (f" <{argument['valueName']}>" if argument["kind"] == "option" else "")


def shown(command: dict) -> list[dict]:
    return [a for a in command.get("arguments", []) if a["shouldDisplay"]]


def synopsis(command: dict, name: str) -> str:
    words = [name]
    for a in shown(command):
        name = next((n for n in a.get("names", []) if n == a.get("preferredName")), None)
        word = spelled({**a, "names": [name] if name else []})
        if not a["isOptional"] or a["kind"] == "positional":
            words.append(word if not a["isOptional"] else f"[{word}]")
    if any(a["isOptional"] and a["kind"] != "positional" for a in shown(command)):
        words.insert(1, "[options]")
    if command.get("subcommands"):
        words.append("<subcommand>")
    return " ".join(words)


def arguments(command: dict) -> list[str]:
    lines = []
    for a in shown(command):
        about = a.get("abstract", "").strip()
        if a.get("defaultValue") not in (None, ""):
            about += f" (default: {a['defaultValue']})"
        lines += [".TP", ".B " + escaped(spelled(a)), escaped(about) or "\\&"]
    return lines


def commands(command: dict, name: str):
    """Each command below this one with its whole name; `help` is the parser's own."""
    for below in command.get("subcommands", []):
        if below["commandName"] != "help" and below["shouldDisplay"]:
            yield below, f"{name} {below['commandName']}"
            yield from commands(below, f"{name} {below['commandName']}")


def page(tool: dict, version: str) -> str:
    name = tool["commandName"]
    lines = [
        f'.TH {name.upper()} 1 "" "{name} {version}" "User Commands"', ".SH NAME", f"{name} \\- {escaped(tool['abstract'])}",
        ".SH SYNOPSIS", escaped(synopsis(tool, name)), ".SH DESCRIPTION", *paragraphs(tool.get("discussion", "")), ".SH OPTIONS",
        *arguments(tool), ".SH COMMANDS"]
    for command, whole in commands(tool, name):
        lines += [".TP", ".B " + escaped(whole), escaped(command["abstract"])]
    for command, whole in commands(tool, name):
        lines += [
            f'.SH "{escaped(whole.upper())}"', ".B " + escaped(synopsis(command, whole)),
            *paragraphs(command.get("discussion", command["abstract"])), *arguments(command)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(json.load(sys.stdin)["command"], sys.argv[1]))
