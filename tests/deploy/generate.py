"""Whatever in deploy/ is made from something else: the chart's copies of rules and dashboards, its schema and README, the plain
manifests, the template with the StackSet; and the golden renders. `generate.py` writes all of it, `generate.py --check` tells
what is stale."""

import json
import os
import subprocess
import sys

import kustomize
import organization
import readme
import schema
from chart import CHART, HERE, ROOT, VALUES, dump, render

# In place of what a site decides; templates/_rules.tpl puts the values there.
MARKS = [
    "--runbooks=https://runbooks.invalid",
    "--grafana=https://grafana.invalid",
    "--job=chart-job",
    "--grace=711h",
    "--unprotected-grace=712h",
    "--new-unprotected-grace=713h",
    "--memory=59m",
]


def alerts(*flags):
    """The rules that the program prints."""
    program = os.environ.get("EXPORTER", ROOT / "target/debug/aws-mfa-exporter")
    return subprocess.run([program, "generate", "alerts", *flags], check=True, capture_output=True, text=True).stdout


def copies():
    """What the chart has from elsewhere."""
    files = {f"dashboards/{path.name}": path.read_text() for path in sorted((ROOT / "dashboards").glob("*.json"))}
    files["alerts.yaml"] = alerts(*MARKS, "--labels=tag_chart")
    files["alerts-simple.yaml"] = alerts(*MARKS, "--set=simple")
    files["recording.yaml"] = (ROOT / "deploy/prometheus/recording.yaml").read_text()
    made = {CHART / "files" / name: text for name, text in files.items()}
    made[CHART / "values.schema.json"] = json.dumps(schema.schema(), indent=2) + "\n"
    made[CHART / "README.md"] = readme.readme()
    made[organization.IAM / "organization.yaml"] = organization.template()
    return made


def brief(document):
    """An object for people: rules and dashboards, which are checked elsewhere, as a line each."""
    if document["kind"] == "PrometheusRule":
        for group in document["spec"]["groups"]:
            group["rules"] = [in_a_line(rule) for rule in group["rules"]]
    for name in document.get("data", {}):
        if name.endswith(".json"):
            document["data"][name] = f"dashboards/{name}"
    return document


def in_a_line(rule):
    """A rule without its expression and texts."""
    if "record" in rule:
        return f"record {rule['record']}"
    labels = " ".join(f"{key}={value.split()[-1] if '{{' in value else value}" for key, value in rule["labels"].items())
    keep = f" keep {rule['keep_firing_for']}" if "keep_firing_for" in rule else ""
    return f"alert {rule['alert']} for {rule['for']}{keep} {labels}"


def renders():
    """What is made by rendering the chart, which needs its copies to be there."""
    golden = {}
    for values in VALUES:
        head = values.read_text().split("\n", 1)[0]
        golden[HERE / "golden" / values.name] = f"{head}\n{dump(map(brief, render(values)))}"
    return {**golden, **kustomize.files()}


def main():
    """Writes, or checks."""
    stale = []
    for step in (copies, renders):
        made = step()
        for path, text in made.items():
            if path.exists() and path.read_text() == text:
                continue
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        folders = {path.parent for path in made} - {CHART, organization.IAM}
        for extra in {path for folder in folders if folder.exists() for path in folder.iterdir() if path.is_file()} - set(made):
            if extra.name != "README.md":
                stale.append(f"{extra.relative_to(ROOT)} (made from nothing)")
    if "--check" in sys.argv and stale:
        raise SystemExit("stale, renew by tests/deploy/run generate:\n  " + "\n  ".join(stale))
    print("\n".join(["written:", *stale] if stale else ["all of it is new"]))


if __name__ == "__main__":
    main()
