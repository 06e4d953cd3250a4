#!/usr/bin/env python3
"""Whether the cases of the rules hold in the promtool that is named.

    tests/rules/check.py [--every-rule] PROMTOOL

It runs a slice of each case (cases.py): what decides it, at each instant. That is a sixth of what `promtool test rules`
evaluates. With --every-rule it also runs each case with all rules, at every seventh instant, to see whether a rule can be
evaluated for the series of cases that do not ask for it. `promtool test rules deploy/prometheus/tests/*.yaml` evaluates
all rules at each instant; it takes seven minutes of one core, and says nothing more of the expectations.
"""

import concurrent.futures
import os
import sys

from cases import FOLDER, Rules, of, promtool

WORKERS = 2
# Not five or ten: what happens in a case happens at multiples of these.
NTH = 7


def main():
    """All cases, two at a time."""
    *flags, program = sys.argv[1:]
    if flags not in ([], ["--every-rule"]):
        sys.exit(__doc__)
    # After tests that watch a clock.
    os.nice(10)
    cases = []
    for name in ["alerts.yaml", "alerts-simple.yaml", "recording.yaml"]:
        rules = Rules(FOLDER / name)
        cases += [(rules, case) for case in of(rules, FOLDER / name)]

    def wrong(one):
        rules, case = one
        said = promtool(rules.slice(case.kept(case.all())), case.reduced(case.all()), program)
        if flags and not said:
            said = promtool({"groups": rules.groups}, case.sparse(NTH), program)
        return said

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        found = [(case.test.get("name"), said) for (_, case), said in zip(cases, pool.map(wrong, cases)) if said]
    for name, said in found:
        print(f"{name}: {said}")
    print(f"{len(cases)} cases, {len(found)} wrong")
    sys.exit(bool(found) or not cases)


main()
