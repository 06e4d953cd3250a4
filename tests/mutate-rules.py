#!/usr/bin/env python3
"""Whether the cases of the rules would notice a rule that is wrong.

    tests/mutate-rules.py [PART-OF-A-RULE'S-NAME]

Changes one thing of one rule at a time (an operator, a number, a label that is grouped or joined by, a matcher, a clause,
`for`, `keep_firing_for`, a severity) and runs the cases of deploy/prometheus/tests until one fails. A change that no case
notices survives, and is printed: then a case is missing, or what was changed is not needed.

promtool evaluates every rule of a file at every step of a case. Here it is given only what can tell: of a case, the
expectations that read the changed rule, directly or through other rules; of the file, the rules that these expectations
read. Each such slice is first run without a change: if it fails then, the slicing is wrong, and the script ends. In the
end what survived is run against the whole file and all cases, so that no slicing hides a case. What is no PromQL is no
change.

A change that is noticed takes a second or two of CPU; one that survives takes a minute or more, and again as long in the
end. So the tests do not run it. The last line says how many changes there were, and how many went unnoticed.
"""

import concurrent.futures
import copy
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

import yaml

FOLDER = pathlib.Path(__file__).parent.parent / "deploy/prometheus"
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


# === What reads what ===


def name_of(rule):
    return rule.get("record") or rule["alert"]


def matches(matcher, value):
    """Whether a label's value is what a matcher as `=~"A.+"` wants."""
    operator, wanted = matcher
    same = bool(re.fullmatch(wanted, value)) if "~" in operator else wanted == value
    return same != operator.startswith("!")


def read_by(text, rules):
    """The names of the rules whose series a text asks for: an expression, or a template with one."""
    found = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", text)) & rules.keys()
    for selector in re.findall(r"ALERTS(?:_FOR_STATE)?(?:\{(.*?)\})?", text):
        wanted = {label: (operator, value) for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"(.*?)"', selector)}
        for name, rule in rules.items():
            known = {"alertname": name, **rule.get("labels", {})}
            if "alert" in rule and all(matches(one, known[label]) for label, one in wanted.items() if label in known):
                found.add(name)
    for operator, value in re.findall(r'__name__(=~|=)"(.*?)"', text):
        found |= {name for name, rule in rules.items() if "record" in rule and matches((operator, value), name)}
    return found


class Rules:
    """A file of rules, and which of them stand on which."""

    def __init__(self, path):
        self.groups = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["groups"]
        self.rules = {name_of(rule): rule for group in self.groups for rule in group["rules"]}
        assert len(self.rules) == sum(len(group["rules"]) for group in self.groups), "two rules have one name"
        self.reads = {name: read_by(json.dumps(rule).replace('\\"', '"'), self.rules) - {name} for name, rule in self.rules.items()}

    @functools.lru_cache(None)
    def below(self, names):
        """These rules and all that they stand on."""
        found, new = set(), set(names)
        while new:
            found |= new
            new = set().union(*(self.reads[name] for name in new)) - found
        return frozenset(found)

    def slice(self, kept, changed=None):
        """The file with these rules alone, one of them changed."""
        one = {name_of(changed): changed} if changed else {}
        groups = [{**group, "rules": [one.get(name_of(rule), rule) for rule in group["rules"] if name_of(rule) in kept]} for group in self.groups]
        return {"groups": [group for group in groups if group["rules"]]}


# === What the cases say ===

KINDS = ["alert_rule_test", "promql_expr_test"]


class Case:
    """One case, and the rules that each of its expectations reads."""

    def __init__(self, head, test, rules):
        self.head, self.test, self.rules = head, test, rules
        asked = [(kind, at, test[kind][at]) for kind in KINDS for at in range(len(test.get(kind, [])))]
        self.wants = {(kind, at): frozenset({one["alertname"]} if "alertname" in one else read_by(one["expr"], rules.rules)) for kind, at, one in asked}
        self.sound = {}
        self.lock = threading.Lock()

    def about(self, name):
        """The expectations that can notice a change of this rule."""
        return frozenset(key for key, wants in self.wants.items() if name in self.rules.below(wants))

    def direct(self, name):
        """Whether an expectation asks for this rule itself."""
        return any(name in wants for wants in self.wants.values())

    def cost(self, about):
        """How many times a rule is evaluated to decide these expectations."""
        ends = [seconds(self.test[kind][at]["eval_time"]) for kind, at in about]
        return len(self.kept(about)) * max(ends) / seconds(self.head["evaluation_interval"])

    def kept(self, about):
        """The rules that these expectations read."""
        return self.rules.below(frozenset().union(*(self.wants[key] for key in about)))

    def reduced(self, about):
        """The case with these expectations, and with the series that are read then."""
        test = copy.copy(self.test)
        for kind in KINDS:
            test[kind] = [one for at, one in enumerate(self.test.get(kind, [])) if (kind, at) in about]
        text = json.dumps([test[kind] for kind in KINDS] + [self.rules.rules[name] for name in self.kept(about)])
        if "__name__" not in text:
            words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", text))
            test["input_series"] = [one for one in self.test["input_series"] if re.match(r"[a-zA-Z0-9_:]*", one["series"]).group() in words]
        return {**self.head, "rule_files": ["rules.yaml"], "tests": [test]}

    def notices(self, changed):
        """Whether a slice of the case fails with this rule changed, and not without. None if the change is no PromQL."""
        about = self.about(name_of(changed))
        if not about:
            return False
        with self.lock:
            if about not in self.sound:
                self.sound[about] = promtool(self.rules.slice(self.kept(about)), self.reduced(about))
        if self.sound[about] != "":
            raise RuntimeError(f"a slice of the case {self.test['name']!r} fails without a change: {self.sound[about]}")
        said = promtool(self.rules.slice(self.kept(about), changed), self.reduced(about))
        return None if "could not parse expression" in said else said != ""


def seconds(duration):
    """A duration of Prometheus in seconds."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", str(duration)))


def promtool(rules, case):
    """What promtool finds wrong; nothing if the case holds."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in [("rules.yaml", rules), ("case.yaml", case)]:
            (pathlib.Path(folder) / name).write_text(json.dumps(content))
        run = subprocess.run(["promtool", "test", "rules", "case.yaml"], cwd=folder, capture_output=True, text=True, check=False)
        return run.stdout + run.stderr if run.returncode else ""


def cases(rules, path):
    """The cases of a file of rules."""
    for file in sorted((FOLDER / "tests").glob("*.yaml")):
        head = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
        if head["rule_files"] == [f"../{path.name}"]:
            for test in head["tests"]:
                yield Case({key: value for key, value in head.items() if key != "tests"}, test, rules)


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
    trial = Trial(rules, list(cases(rules, path)))
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
