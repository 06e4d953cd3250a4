#!/usr/bin/env python3
"""Whether the cases of the rules hold in the promtool that is named.

    tests/rules/check.py PROMTOOL

It runs a slice of each case (cases.py), which takes a third of the time that `promtool test rules` takes for the whole.
So use it for one more version of promtool, after the whole was run with another: only the whole tells whether a rule can
be evaluated at all for the series of cases that do not ask for it.
"""

import concurrent.futures
import os
import sys

from cases import FOLDER, Rules, of, promtool

WORKERS = 2


def main():
    """All cases, two at a time."""
    os.nice(10)
    cases = []
    for name in ["alerts.yaml", "alerts-simple.yaml", "recording.yaml"]:
        rules = Rules(FOLDER / name)
        cases += [(rules, case) for case in of(rules, FOLDER / name)]

    def wrong(one):
        rules, case = one
        return promtool(rules.slice(case.kept(case.all())), case.reduced(case.all()), sys.argv[1])

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        found = [(case.test.get("name"), said) for (_, case), said in zip(cases, pool.map(wrong, cases)) if said]
    for name, said in found:
        print(f"{name}: {said}")
    print(f"{len(cases)} cases, {len(found)} wrong")
    sys.exit(bool(found) or not cases)


main()
