#!/usr/bin/env python3
"""Writes the tables of inputs and outputs into terraform/README.md, from variables.tf and outputs.tf. With --check compares."""
import pathlib, re, sys

MODULE = pathlib.Path(__file__).resolve().parents[1] / "terraform"
README = MODULE / "README.md"


def blocks(text, word):
    """Name and inside of every block, as `terraform fmt` lays it out: it ends at the first brace in column one."""
    return re.findall(rf'^{word} "(\w+)" \{{\n(.*?)^\}}', text, re.M | re.S)


def kept(text):
    return text.replace('\\"', '"').replace("|", "\\|")


def description(inside):
    return kept(re.search(r'^  description = "(.*)"$', inside, re.M).group(1))


def shape(inside):
    """The type; of an object its attributes with their defaults, one a line."""
    text = re.search(r"^  type +=\s*(.*?)(?=^  (?:default|validation|sensitive|nullable)|\Z)", inside, re.M | re.S).group(1).strip()
    lines = text.splitlines()
    if len(lines) == 1:
        return f"`{text}`"
    rows = []
    for line in lines[1:-1]:
        line = re.sub(r"\s+", " ", line.strip())
        line = re.sub(r"optional\((.*?)(?:, (.*))?\)$", lambda m: f"{m.group(1)}" + (f", default {m.group(2)}" if m.group(2) else ""), line)
        rows.append(f"`{kept(line)}`")
    return f"`{lines[0]}`<br>" + "<br>".join(rows) + f"<br>`{lines[-1]}`"


def tables():
    rows = ["| Input | Meaning | Type and defaults | Default |", "|---|---|---|---|"]
    for name, inside in blocks((MODULE / "variables.tf").read_text(), "variable"):
        default = re.search(r"^  default +=\s*(.*)$", inside, re.M)
        shown = f"`{default.group(1)}`" if default else "required"
        rows.append(f"| `{name}` | {description(inside)} | {shape(inside)} | {shown} |")
    rows += ["", "| Output | Meaning |", "|---|---|"]
    for name, inside in blocks((MODULE / "outputs.tf").read_text(), "output"):
        rows.append(f"| `{name}` | {description(inside)} |")
    return "\n".join(rows)


def main():
    text = README.read_text()
    begin, end = "<!-- inputs and outputs: tools/terraform-tables.py -->\n", "<!-- end of inputs and outputs -->\n"
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    new = f"{before}{begin}\n{tables()}\n\n{end}{after}"
    if sys.argv[1:] == ["--check"]:
        sys.exit(None if new == text else "the tables of terraform/README.md are stale: run tools/terraform-tables.py")
    README.write_text(new)


if __name__ == "__main__":
    main()
