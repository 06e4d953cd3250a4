#!/usr/bin/env python3
"""Writes the Grafana dashboards.

The files in `dashboards/` are what people import; the Python files here are
what they are made from, so that a verdict has the same colour, wording and
expression wherever it is shown. `tests/dashboards/check` fails when they differ.
"""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # no caches beside the sources

import account
import exporter
import overview

TARGET = Path(__file__).resolve().parent.parent.parent / "dashboards"


def boards():
    """The three dashboards."""
    return [made.board() for made in (overview, account, exporter)]


def written(board):
    """A dashboard as its file has it."""
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in boards():
        (TARGET / f"{each['uid']}.json").write_text(written(each))
