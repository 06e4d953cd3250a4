"""Rules and dashboards in the chart: that they are the program's, and that rulers take them."""

import os
import tempfile
from pathlib import Path

import yaml

from chart import HERE, ROOT, VALUES, render, run, values_file
from generate import alerts
from kustomize import kustomized


def groups(values):
    """The groups of rules that the chart makes of values."""
    with values_file(values) as file:
        return next(one for one in render(Path(file.name)) if one["kind"] == "PrometheusRule")["spec"]["groups"]


def same(made, printed):
    """Whether rules are what the program prints; texts are compared without their last line's end."""
    trim = lambda node: (
        node.strip() if isinstance(node, str)
        else [trim(one) for one in node] if isinstance(node, list)
        else {key: trim(one) for key, one in node.items()} if isinstance(node, dict) else node
    )
    return trim(made) == trim(yaml.safe_load(printed)["groups"])


def rules_are_the_programs_own():
    """For every setting of a site's: what the chart makes is what the program prints."""
    job = "(.+/)?mfa-aws-mfa-exporter"
    for values, flags in [
        ({}, [f"--job={job}"]),
        ({"set": "simple"}, ["--set=simple", f"--job={job}"]),
        ({"job": "mfa|.*-mfa", "grace": "2d", "memory": "20m"}, ["--job=mfa|.*-mfa", "--grace=2days", "--memory=20m"]),
        (
            {"job": "x", "unprotectedGrace": "7d", "newUnprotectedGrace": "2h"},
            ["--job=x", "--unprotected-grace=7days", "--new-unprotected-grace=2h"],
        ),
        ({"set": "simple", "unprotectedGrace": "90m"}, ["--set=simple", "--unprotected-grace=90m", f"--job={job}"]),
        (
            {"runbookUrl": "https://wiki.example.org/x.md", "grafanaUrl": "https://grafana.example.org/g/"},
            ["--runbooks=https://wiki.example.org/x.md", "--grafana=https://grafana.example.org/g", f"--job={job}"],
        ),
        ({"accountLabels": ["ou", "tag_team"]}, ["--labels=ou,tag_team", f"--job={job}"]),
    ]:
        made = groups({"prometheusRule": {"enabled": True, "recording": False, **values}})
        if not same(made, alerts(*flags)):
            yield f"{values}: the chart's rules are not what generate alerts {' '.join(flags)} prints"
    made = groups({"prometheusRule": {"enabled": True}})
    if not same(made[-1:], (ROOT / "deploy/prometheus/recording.yaml").read_text()):
        yield "the recording rules are not those of deploy/prometheus"


def promtool_takes_the_rules():
    """Also those with a severity that a unit decides."""
    for values in VALUES:
        for one in render(values):
            if one["kind"] == "PrometheusRule":
                with values_file(one["spec"]) as file:
                    told = run("promtool", "check", "rules", file.name)
                if told:
                    yield f"{values.name}: {told}"


def vmalert_takes_the_rules():
    """Debian's takes the simple set; the newer one, where tests/run has got it, takes all of them."""
    newer = os.environ.get("TEST_PROMETHEUS3_BIN")
    for values in VALUES:
        program = "vmalert" if values.stem == "simple-rules" else newer and f"{newer}/vmalert"
        for one in render(values) if program else []:
            if one["kind"] == "PrometheusRule":
                with values_file(one["spec"]) as file:
                    told = run(program, "-dryRun", f"-rule={file.name}")
                if told:
                    yield f"{program}, {values.name}: {told}"


def severities_follow_the_unit():
    """In Prometheus: of the units that values name, the longest path decides; below them too, and nowhere else."""
    made = render(HERE / "values/organization.yaml")
    rules = next(one for one in made if one["kind"] == "PrometheusRule")["spec"]
    units = {"1": "Sandbox", "2": "Sandbox/Demo/A", "3": "Sandbox/Other", "4": "Sandboxes", "5": "Work/Sandbox", "6": None}
    wanted = {"1": "warning", "2": "info", "3": "warning", "4": "critical", "5": "critical", "6": "critical"}
    series = []
    for account, unit in units.items():
        who = f'job="mfa-aws-mfa-exporter",instance="a",account_id="{account}"'
        series.append((f'aws_mfa_account_info{{{who},account_name="",partition="aws",ou="",state="scanned"}}', "1x40"))
        for what, value in (("protected", 1), ("failed", 2)):
            series.append((f'aws_mfa_control_last_{what}_timestamp_seconds{{{who},control="IAM.9"}}', f"{value}x40"))
        if unit:
            series.append((f'aws_mfa_account_labels{{{who},ou="{unit}",tag_team="t"}}', "1x40"))
    query = 'sum by (account_id, severity, team) (ALERTS{alertname="AwsMfaRootMfaRegressed"})'
    fired = [{"labels": f'{{account_id="{one}",severity="{severity}",team="security"}}', "value": 1} for one, severity in wanted.items()]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.yaml").write_text(yaml.safe_dump(rules))
        case = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "30s",
            "tests": [{
                "interval": "30s",
                "input_series": [{"series": name, "values": values} for name, values in series],
                "promql_expr_test": [{"expr": query, "eval_time": "10m", "exp_samples": fired}],
            }],
        }
        (Path(folder) / "case.yaml").write_text(yaml.safe_dump(case))
        yield run("promtool", "test", "rules", Path(folder) / "case.yaml")


def dashboards_are_the_files():
    """Byte for byte."""
    found = 0
    for one in render(HERE / "values/dashboards.yaml") + kustomized():
        for name, text in one.get("data", {}).items():
            found += name.endswith(".json")
            if name.endswith(".json") and text != (ROOT / "dashboards" / name).read_text():
                yield f"{one['metadata']['name']} is not dashboards/{name}"
    if found != 2 * len(list((ROOT / "dashboards").glob("*.json"))):
        yield f"{found} dashboards"


CHECKS = [
    rules_are_the_programs_own,
    promtool_takes_the_rules,
    vmalert_takes_the_rules,
    severities_follow_the_unit,
    dashboards_are_the_files,
]
