#!/usr/bin/env python3
"""Whether the cases of the rules would notice a rule that is wrong.

    tests/rules/mutate.py [PART-OF-A-RULE'S-NAME]

Changes one thing of one rule at a time (an operator, a number, a label that is grouped or joined by, a matcher, a clause,
`for`, `keep_firing_for`, a severity) and runs the cases of deploy/prometheus/tests until one fails. A change that no case
notices survives, and is printed: then a case is missing, or what was changed is not needed.

promtool is given only the slice of a case that can tell (cases.py). Each slice is first run without a change: if it fails
then, the slicing is wrong, and the script ends. In the end what survived is run against the whole file and all cases, so
that no slicing hides a case. What is no PromQL is no change.

A change that is noticed takes a second or two of CPU; one that survives takes a minute or more, and again as long in the
end. So the tests do not run it. The last line says how many changes there were, and how many went unnoticed.
"""

import concurrent.futures
import os
import re
import sys
import time

from cases import FOLDER, Rules, name_of, of, promtool

WORKERS = 2

# === What is changed ===

# `- 0` is what a setting takes away by default.
SWAPS = [
    (r" unless ", " and "), (r"^unless ", "and "), (r" and on ", " unless on "), (r"^and on ", "unless on "),
    (r" >= ", " < "), (r" <= ", " > "), (r" > ", " < "), (r" < ", " > "), (r" == ", " != "), (r" != ", " == "),
    (r"\bmax\b", "min"), (r"\bmin\b", "max"), (r" - (?!0$)", " + "), (r" \+ ", " - "), (r" / ", " * "),
    (r"count by", "group by"), (r'control="IAM\.9"', 'control="IAM.6"'), (r'control="IAM\.[456]"', 'control="IAM.9"'),
    (r'status="unknown"', 'status="failed"'), (r'=~"', '!~"'), (r'!~"', '=~"'), (r"last_over_time\((.*?)\[\d+m\]\)", r"\1"),
    (r"(?<!\.)\b(\d{2,})\b(?!m\])", r"\g<1>0"), (r"\b(\d{2,})\b(?!m\])", "1"), (r"\[1h\]", "[10m]"), (r"\[15m\]", "[1h]"), (r"\[1d\]", "[5m]"),
    (r"\b0\.0(\d)", r"0.\1"), (r"\b0\.(\d+)", r"1.\1"), (r"0 \* ", "1 * "), (r"absent\(", "("), (r"abs\(", "("),
]

# Where max and min are the same: one series of an account is left when the control is fixed; and each exporter's series
# of an account gets the one time at which that account was first seen.
SAME = re.compile(r"max by \(account_id\) \(\s+\(*(account_control:|0 \* account_job_instance:\S+ \+ on \(account_id\) group_left)")


def labels(expr):
    """Each grouping or joining with one label less."""
    for match in re.finditer(r"(by|on|group_left) \(([a-z_, ]+)\)", expr):
        names = match.group(2).split(", ")
        for name in names if len(names) > 1 else []:
            rest = ", ".join(other for other in names if other != name)
            yield expr[: match.start(2)] + rest + expr[match.end(2) :]


def clauses(expr):
    """Each line that is a clause of its own, or each side of an `or`, left out."""
    lines = expr.splitlines()
    for at, line in enumerate(lines):
        if re.match(r"\s*(and|unless|or) .*\S", line) and line.count("(") == line.count(")"):
            yield "\n".join(lines[:at] + lines[at + 1 :])
    for match in re.finditer(r"(?m)^( *)or\n", expr):
        if not match.group(1):
            yield expr[: match.start()].rstrip("\n")
            yield expr[match.end() :]


def mutants(expr):
    """Every changed expression, once."""
    seen = {expr}
    for pattern, other in SWAPS:
        for match in re.finditer(pattern, expr, re.M):
            if match.group() == "max" and SAME.match(expr, match.start()):
                continue
            seen.add(expr[: match.start()] + match.expand(other) + expr[match.end() :])
    seen.update(labels(expr))
    seen.update(clauses(expr))
    return sorted(seen - {expr})


def diff(old, new):
    """The lines that differ."""
    before, after = set(old.splitlines()), set(new.splitlines())
    return " | ".join(line.strip() for line in old.splitlines() if line not in after) + "  ->  " + " | ".join(
        line.strip() for line in new.splitlines() if line not in before
    )


def changes(rule):
    """Each change of a rule: what it is, and the changed rule."""
    for expr in mutants(rule["expr"]):
        yield diff(rule["expr"], expr), {**rule, "expr": expr}
    patience = rule.get("for", "0s")
    for other in [f"7{patience}", "0s"] if "alert" in rule else []:
        if other != patience:
            yield f"for: {patience} -> {other}", {**rule, "for": other}
    if "keep_firing_for" in rule:
        yield "no keep_firing_for", {key: value for key, value in rule.items() if key != "keep_firing_for"}
    if "alert" in rule:
        yield "severity: none", {**rule, "labels": {**rule["labels"], "severity": "none"}}


# === Each change ===


class Trial:
    """The cases in the order in which they are tried for a rule: first those that noticed another change of it, then those
    that ask for it, and of these the cheapest."""

    def __init__(self, rules, all_cases):
        self.rules, self.cases, self.orders = rules, all_cases, {}

    def order(self, name):
        able = [case for case in self.cases if case.about(name)]
        return sorted(able, key=lambda case: (not case.direct(name), case.cost(case.about(name))))

    def outcome(self, changed):
        """`noticed`, `survived`, or `no PromQL`."""
        order = self.orders.setdefault(name_of(changed), self.order(name_of(changed)))
        for case in list(order):
            noticed = case.notices(changed)
            if noticed is None:
                return "no PromQL"
            if noticed:
                order.remove(case)
                order.insert(0, case)
                return "noticed"
        return "survived"

    def whole(self, changed):
        """Whether any case as it stands notices the change in the file as it stands."""
        file = self.rules.slice(self.rules.rules.keys(), changed)
        return any(promtool(file, {**case.head, "rule_files": ["rules.yaml"], "tests": [case.test]}) for case in self.cases)


def main():
    """All changes, some at a time."""
    os.nice(10)
    began, wanted = time.monotonic(), sys.argv[1] if len(sys.argv) > 1 else ""
    path = FOLDER / "alerts.yaml"
    rules = Rules(path)
    trial = Trial(rules, list(of(rules, path)))
    asked = [change for name, rule in rules.rules.items() if wanted in name for change in changes(rule)]
    total, survivors = 0, []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for (what, changed), outcome in zip(asked, pool.map(lambda change: trial.outcome(change[1]), asked)):
            total += outcome != "no PromQL"
            if outcome == "survived":
                survivors.append((what, changed))
                print(f"{name_of(changed)}: {what}", flush=True)
        for (what, changed), noticed in zip(survivors, pool.map(lambda change: trial.whole(change[1]), survivors)):
            if noticed:
                raise RuntimeError(f"no slice notices what the whole file does, so the slicing is wrong: {name_of(changed)}: {what}")
    print(f"{total} changes, {len(survivors)} unnoticed, in {(time.monotonic() - began) / 60:.0f} min; {len(asked) - total} more were no PromQL")
    sys.exit(bool(survivors))


main()
