#!/usr/bin/env python3
"""Whether the cases of the rules would notice a rule that is wrong.

    tests/mutate-rules.py [PART-OF-A-RULE'S-NAME]

Changes one thing of one rule at a time (an operator, a number, a label that is grouped or joined by, a matcher, a clause,
`for`, `keep_firing_for`, a severity) and runs the cases of deploy/prometheus/tests one by one until one fails, first those that
noticed another change of the same rule, then those that name it. A change that no case notices survives, and is printed: then a case is missing, or what
was changed is not needed. It takes several minutes, so the tests do not run it; the last line says how many there were.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).parent.parent / "deploy/prometheus"
SWAPS = [
    (r" unless ", " and "), (r"^unless ", "and "), (r" and on ", " unless on "), (r"^and on ", "unless on "),
    (r" >= ", " < "), (r" <= ", " > "), (r" > ", " < "), (r" < ", " > "), (r" == ", " != "), (r" != ", " == "),
    (r"\bmax\b", "min"), (r"\bmin\b", "max"), (r" - ", " + "), (r" \+ ", " - "), (r" / ", " * "),
    (r"count by", "group by"), (r'control="IAM\.9"', 'control="IAM.6"'), (r'control="IAM\.[456]"', 'control="IAM.9"'),
    (r'status="unknown"', 'status="failed"'), (r'=~"', '!~"'), (r'!~"', '=~"'), (r"last_over_time\((.*?)\[\d+m\]\)", r"\1"),
    (r"\b(\d{2,})\b(?!m\])", r"\g<1>0"), (r"\b(\d{2,})\b(?!m\])", "1"), (r"\[1h\]", "[10m]"), (r"\[15m\]", "[1h]"), (r"\[1d\]", "[5m]"),
    (r"0 \* ", "1 * "), (r"absent\(", "("), (r"abs\(", "("),
]


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


# One series of an account is left when the control is fixed, so which of them is taken is no difference.
SAME = re.compile(r"max by \(account_id\) \(\s+\(*account_control:")


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


def rules(text):
    """Where each rule's name, expression and head of the rest stand."""
    for match in re.finditer(r"(?ms)^  - (?:record|alert): (\S+)\n    expr: \|\n(.*?)(?=^    [a-z]|\n\n|\Z)(.*?)(?=^    annotations|\n\n|\Z)", text):
        yield match.group(1), match.span(2), match.span(3)


def changed(text, wanted):
    """Each whole file with one change, and what it was."""
    for name, (begin, end), (head, tail) in rules(text):
        if wanted not in name:
            continue
        group = re.findall(r"(?m)^- name: (\S+)", text[:begin])[-1]
        body = text[begin:end]
        expr = re.sub(r"(?m)^      ", "", body)
        for mutant in mutants(expr):
            yield group, name, diff(expr, mutant), text[:begin] + re.sub(r"(?m)^(?=.)", "      ", mutant.rstrip("\n") + "\n") + text[end:]
        rest = text[head:tail]
        for pattern, other in [(r"for: (\d+)([smh])", r"for: 7\1\2"), (r"for: \d+[mh]", "for: 0s"), (r" *keep_firing_for.*\n", ""), (r"severity: \w+", "severity: none")]:
            for match in re.finditer(pattern, rest):
                if "keep" in rest[max(0, match.start() - 12) : match.start()]:
                    continue
                new = rest[: match.start()] + match.expand(other) + rest[match.end() :]
                if new != rest:
                    yield group, name, f"{match.group().strip()} -> {match.expand(other).strip()}", text[:head] + new + text[tail:]


def diff(old, new):
    """The lines that differ."""
    before, after = set(old.splitlines()), set(new.splitlines())
    return " | ".join(line.strip() for line in old.splitlines() if line not in after) + "  ->  " + " | ".join(
        line.strip() for line in new.splitlines() if line not in before
    )


def cases():
    """Each case of the alerts as a file of its own."""
    for path in sorted((FOLDER / "tests").glob("*.yaml")):
        head, body = path.read_text().split("tests:\n", 1)
        if "../alerts.yaml" in head:
            for part in re.split(r"(?m)^(?=- name: )", body)[1:]:
                yield f"{head}tests:\n{part}"


def fails(name, folder):
    """Whether a case does not hold any more."""
    run = subprocess.run(["promtool", "test", "rules", f"tests/{name}"], cwd=folder, capture_output=True, check=False)
    return run.returncode != 0


def likely(rule, files):
    """The cases, those first that name the rule or what it records, and of these the short ones."""
    about = rule.split(":")[1] if ":" in rule else rule
    return [path.name for path in sorted(files.iterdir(), key=lambda path: (about not in path.read_text(), path.stat().st_size))]


def survives(case, files, noticed):
    """Whether all cases hold for this file of rules."""
    _, rule, _, text = case
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "alerts.yaml").write_text(text)
        (pathlib.Path(folder) / "tests").symlink_to(files)
        order = noticed.get(rule) or noticed.setdefault(rule, likely(rule, files))
        for name in list(order):
            if fails(name, folder):
                order.remove(name)
                order.insert(0, name)
                return False
    return True


def main():
    """All changes, as many at a time as there are cores."""
    os.nice(10)
    text = (FOLDER / "alerts.yaml").read_text()
    changes = list(changed(text, sys.argv[1] if len(sys.argv) > 1 else ""))
    survivors, noticed = 0, {}
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        files = pathlib.Path(folder)
        for number, whole in enumerate(cases()):
            (files / f"{number}.yaml").write_text(whole)
        for case, alive in zip(changes, pool.map(lambda case: survives(case, files, noticed), changes)):
            if alive:
                survivors += 1
                print(f"{case[1]}: {case[2]}", flush=True)
    print(f"{len(changes)} changes, {survivors} unnoticed")
    sys.exit(bool(survivors))


main()
