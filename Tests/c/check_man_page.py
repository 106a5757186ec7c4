"""Whether a man page has every command, option and argument of the tool, each in its command's section.

    garface --experimental-dump-help | python3 Tests/c/check_man_page.py garface.1
"""
import json
import re
import sys

page = open(sys.argv[1]).read().replace("\\&", "").replace("\\-", "-").replace("\\(aq", "'").replace("\\(rs", "\\")
sections = {heading.strip('" '): body for heading, body in re.findall(r"^\.SH (.*)\n((?:(?!\.SH ).*\n)*)", page, re.M)}
seen = 0


def check(command, name):
    global seen
    section = sections["OPTIONS" if name == "garface" else name.upper()]
    for argument in command.get("arguments", []):
        for spelling in argument.get("names", []):
            assert re.search(r"(?<![\w-])--?" + re.escape(spelling["name"]) + r"(?![\w-])", section), (name, spelling)
            seen += 1
        if argument["kind"] == "positional":
            assert f"<{argument['valueName']}>" in section, (name, argument)
        assert argument["abstract"] in section, (name, argument)
    for below in command.get("subcommands", []):
        if below["commandName"] != "help":
            check(below, f"{name} {below['commandName']}")


check(json.load(sys.stdin)["command"], "garface")
assert seen > 60, seen
print(f"man page: {seen} spellings of options in {len(sections)} sections")
