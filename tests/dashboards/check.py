#!/usr/bin/env python3
"""Checks the dashboards: what is shipped is what the sources here say, each
panel has what a reader needs, and promtool finds the figures right where it is
easy to be wrong: twins that differ, shards, accounts without users, nothing at all.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # no caches beside the sources

import cases
from generate import TARGET, boards, written

# What was looked at; other panel types would ship unseen.
DRAWN = {"stat", "table", "timeseries", "bargauge", "text", "row"}


def stale():
    """Files that differ from what the sources here say."""
    for board in boards():
        path = TARGET / f"{board['uid']}.json"
        if not path.exists() or path.read_text() != written(board):
            yield f"{path.name} is not what tests/dashboards/generate writes"


def incomplete(board):
    """Panels without what a reader needs, and panels that lie over each other."""
    uids = {other["uid"] for other in boards()}
    taken = {}
    numbers = [panel["id"] for panel in all_panels(board)]
    if len(set(numbers)) < len(numbers):
        yield f"{board['uid']}: two panels have one number"
    for panel in all_panels(board):
        who = f"{board['uid']}: panel {panel['id']} ({panel['title'] or panel['type']})"
        if panel["type"] not in DRAWN:
            yield f"{who} is of a type that was not looked at: {panel['type']}"
        if not panel["title"] or (panel["type"] != "row" and not panel["description"]):
            yield f"{who} has no title or no description"
        yield from (f"{who} {wrong}" for wrong in unasked(panel))
        yield from (f"{who} links to no dashboard of ours: {uid}" for uid in linked(panel) if uid not in uids)
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if taken.setdefault((x, y), panel["id"]) != panel["id"]:
                    yield f"{who} lies over panel {taken[x, y]}"


def all_panels(board):
    """The panels of a dashboard, those in closed rows included."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def unasked(panel):
    """What is wrong with the queries of a panel."""
    if panel["type"] in ("row", "text"):
        return
    if not panel["targets"] or any(not target["expr"] for target in panel["targets"]):
        yield "asks nothing"
    if "unit" not in panel["fieldConfig"]["defaults"]:
        yield "has no unit"
    if not panel["fieldConfig"]["defaults"].get("noValue"):
        yield "does not say what it means to be empty"
    if panel["type"] == "table":
        for column in panel["fieldConfig"]["overrides"]:
            if not any(special["id"] == "noValue" for special in column["properties"]):
                yield f"would put the words for an empty table into empty cells of {column['matcher']['options']}"
    yield from unshown(panel)
    for target in panel["targets"]:
        if target["datasource"]["uid"] != "${datasource}":
            yield "does not ask the chosen data source"
        if re.search(r"rate\([^\[]*\[(?!\$__rate_interval\])", target["expr"]):
            yield f"takes a rate over a fixed time: {target['expr']}"
        if "$__rate_interval" in target["expr"] and panel.get("interval") != "2m":
            yield f"has no rate where Prometheus scrapes each minute: {target['expr']}"
        if re.search(r"\b(instance|pod)\b", target["expr"]) and board_of(panel) != "exporter":
            yield f"tells exporters apart: {target['expr']}"


def unshown(panel):
    """Queries of a table of which no column shows the value, nor a label that no other query gives."""
    shown = next((one["options"]["include"]["names"] for one in panel.get("transformations", []) if one["id"] == "filterFieldsByName"), None)
    if shown is None:
        return
    labels = {target["refId"]: labels_of(target["expr"]) for target in panel["targets"]}
    for one, own in labels.items():
        others = set().union(*(labels[other] for other in labels if other != one))
        if f"Value #{one}" not in shown and not (own - others) & set(shown):
            yield f"asks {one} and does not show it"


def labels_of(expr):
    """The labels that an expression names as those of its result, or of a part of it."""
    return {label.strip() for found in re.findall(r"by \(([a-z_, ]*)\)", expr) for label in found.split(",")}


def board_of(panel):
    """Which kind of figure a panel has: the exporter's own, or an account's."""
    asked = " ".join(target["expr"] for target in panel["targets"])
    return "exporter" if "$instance" in asked else "accounts"


def linked(panel):
    """The dashboards that a panel leads to."""
    return re.findall(r'"/d/([^?"/]+)', json.dumps(panel))


def wrong_figures():
    """What promtool says of the cases, or nothing when all hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.yaml"
        # JSON is YAML, and needs no package to write.
        path.write_text(json.dumps(cases.as_promtool_tests()))
        run = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    if run.returncode:
        yield run.stdout + run.stderr


def main():
    """Checks all and says what is wrong."""
    wrong = [*stale(), *(line for board in boards() for line in incomplete(board)), *wrong_figures()]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"Dashboards: {sum(1 for board in boards() for _ in all_panels(board))} panels, {len(cases.CASES)} cases.")


if __name__ == "__main__":
    main()
