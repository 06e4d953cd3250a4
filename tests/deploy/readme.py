"""The chart's README: README.md.gotmpl, with a table of the values, as helm-docs makes it of values.yaml."""

import json
import re

import yaml

from chart import CHART


def described(text):
    """Each value that has a description, by path, in order."""
    path, found, told = [], [], None
    for line in text.splitlines():
        comment = re.match(r" *# -- (.*)", line)
        key = re.match(r"( *)([A-Za-z]+):", line)
        if comment:
            told = comment.group(1)
        elif key and not line.lstrip().startswith("-"):
            path = path[: len(key.group(1)) // 2] + [key.group(2)]
            if told:
                found.append((tuple(path), told))
            told = None
    return found


def leaves(values, path=(), stop=()):
    """Every path that has a value of its own."""
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and value and here not in stop:
            yield from leaves(value, here, stop)
        else:
            yield here


def readme():
    """The whole page."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    found = described(text)
    missing = set(leaves(values, stop={path for path, _ in found})) - {path for path, _ in found}
    assert not missing, f"values.yaml does not describe {missing}"
    rows = ["| Key | Type | Default | Description |", "| --- | --- | --- | --- |"]
    for path, told in found:
        value = values
        for key in path:
            value = value[key]
        kind = {bool: "bool", int: "int", str: "string", list: "list", dict: "object"}[type(value)]
        rows.append(f"| `{'.'.join(path)}` | {kind} | `{json.dumps(value)}` | {told} |")
    page = (CHART / "README.md.gotmpl").read_text()
    return page.replace('{{ template "chart.valuesTable" . }}', "\n".join(rows))
