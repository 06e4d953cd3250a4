"""The rules, the cases that promtool runs for them, and what of the rules each case reads.

promtool evaluates every rule of a file at every step of a case. A slice of a case has only what decides its expectations:
of the case, some expectations and the series that are read for them; of the file, the rules that these expectations read,
directly or through other rules. A sparse case has all rules and series, fewer instants, and no expectation: it tells
whether a rule can be evaluated for series that it was not written for.
"""

import copy
import functools
import json
import pathlib
import re
import subprocess
import tempfile
import threading

import yaml

FOLDER = pathlib.Path(__file__).parent.parent.parent / "deploy/prometheus"

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

    def all(self):
        """Every expectation."""
        return frozenset(self.wants)

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

    def sparse(self, nth):
        """The case with every rule, at each `nth` of its instants or sooner, and nothing expected but that each can be evaluated."""
        end = max(seconds(self.test[kind][at]["eval_time"]) for kind, at in self.all())
        step = seconds(self.head["evaluation_interval"])
        # A short case would be over after its first instants.
        nth = max(1, min(nth, end // step // 20))
        test = {key: value for key, value in self.test.items() if key not in KINDS}
        test["promql_expr_test"] = [{"expr": "vector(1)", "eval_time": f"{end}s", "exp_samples": [{"labels": "{}", "value": 1}]}]
        return {**self.head, "evaluation_interval": f"{nth * step}s", "rule_files": ["rules.yaml"], "tests": [test]}

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


def promtool(rules, case, program="promtool"):
    """What promtool finds wrong; nothing if the case holds."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in [("rules.yaml", rules), ("case.yaml", case)]:
            (pathlib.Path(folder) / name).write_text(json.dumps(content))
        run = subprocess.run([program, "test", "rules", "case.yaml"], cwd=folder, capture_output=True, text=True, check=False)
        return run.stdout + run.stderr if run.returncode else ""


def of(rules, path):
    """The cases of a file of rules."""
    for file in sorted((FOLDER / "tests").glob("*.yaml")):
        head = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
        if head["rule_files"] == [f"../{path.name}"]:
            for test in head["tests"]:
                yield Case({key: value for key, value in head.items() if key != "tests"}, test, rules)
