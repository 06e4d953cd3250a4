"""Checks what is in deploy/ for Kubernetes and AWS, with the tools that tests/deploy/run has installed."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import modules
import stacks
from chart import CHART, HERE, NAMESPACE, ROOT, TOOLS, VALUES, helm, objects, render
from generate import alerts
from refusals import REFUSED

VERSIONS = ("1.29", "1.36")
BIN = Path(sys.executable).parent
THEIRS = {"GrafanaDashboard", "PodMonitor", "PrometheusRule", "ServiceMonitor"}
EXAMPLE = ROOT / "deploy/kubernetes/example"


def run(*command, text=None):
    """Runs a tool; what it says, where it is not content."""
    done = subprocess.run(command, capture_output=True, text=True, input=text, cwd=ROOT, check=False)
    return "" if done.returncode == 0 else f"{' '.join(map(str, command[:3]))}: {done.stdout}{done.stderr}"


def values_file(values):
    """Values as a file."""
    file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
    yaml.safe_dump(values, file)
    file.flush()
    return file


# === the chart ===


def both_helms_lint_and_agree():
    """Helm 3 and 4 render the same objects."""
    for values in VALUES:
        for version in (3, 4):
            done = helm("lint", "--strict", "--values", str(values), version=version)
            if done.returncode:
                yield f"helm {version} lint, {values.name}: {done.stdout}"
        if render(values, version=3) != render(values, version=4):
            yield f"{values.name}: Helm 3 and 4 differ"


def it_can_be_packaged():
    """As Helm publishes it."""
    with tempfile.TemporaryDirectory() as folder:
        done = helm("package", "--destination", folder)
        if done.returncode or not list(Path(folder).glob("aws-mfa-exporter-*.tgz")):
            yield f"helm package: {done.stderr}"


def wrong_values_are_refused():
    """With a message that names what is wrong."""
    for what, (values, told) in REFUSED.items():
        with values_file(values) as file:
            done = helm("template", "--values", file.name)
        if done.returncode == 0 or told not in done.stderr:
            yield f"{what}: {told!r} is not in {done.stderr!r}"


def every_value_does_something():
    """A value that no template reads would be a promise of nothing."""
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for key, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
        for name in [key, *(value if isinstance(value, dict) else [])]:
            if f".{name}" not in templates and "Context" not in key and key not in ("resources", "updateStrategy"):
                yield f"no template reads {key}: {name}"


# === the objects ===


def objects_are_valid():
    """By the schemas of Kubernetes, strictly, and of the operators' kinds."""
    every = [(values.name, one) for values in VALUES for one in render(values)]
    every += [("kustomize", one) for one in kustomized()]
    theirs = [one for _, one in every if one["kind"] in THEIRS]
    told = run("node", TOOLS / "crds.mjs", text="\n".join(map(json.dumps, theirs)))
    if told:
        yield told
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, (name, one) in enumerate(every):
            if one["kind"] not in THEIRS:
                files.append(Path(folder) / f"{number}-{name}-{one['kind']}.yaml")
                files[-1].write_text(yaml.safe_dump(one))
        for version in VERSIONS:
            told = run(BIN / "kubernetes-validate", "--strict", "--quiet", "-k", version, *files)
            if told:
                yield told


def pods_are_restricted():
    """What the restricted Pod Security Standard asks for, of every container."""
    for values in VALUES:
        for one in render(values):
            if one["kind"] != "StatefulSet":
                continue
            pod = one["spec"]["template"]["spec"]
            if not pod["securityContext"]["runAsNonRoot"] or pod["securityContext"]["seccompProfile"]["type"] != "RuntimeDefault":
                yield f"{values.name}: the pod is not restricted"
            for container in pod["containers"] + pod.get("initContainers", []):
                context = container["securityContext"]
                if context["allowPrivilegeEscalation"] or context["capabilities"]["drop"] != ["ALL"]:
                    yield f"{values.name}: {container['name']} is not restricted"


def kustomized():
    """The example, as kubectl makes it."""
    done = subprocess.run([TOOLS / "kubectl", "kustomize", EXAMPLE], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kubectl kustomize: {done.stderr}")
    return objects(done.stdout)


def the_example_is_whole():
    """The pods name the Secret, the image and the role of the example."""
    made = {(one["kind"], one["metadata"]["name"]): one for one in kustomized()}
    secret = next(name for kind, name in made if kind == "Secret")
    pod = made["StatefulSet", "aws-mfa-exporter"]["spec"]["template"]["spec"]
    if pod["volumes"][0]["secret"]["secretName"] != secret or secret == "aws-mfa-exporter-config":
        yield "the pods do not name the Secret that kustomize makes"
    if pod["containers"][0]["image"] != "registry.example.org/aws-mfa-exporter:0.1.0":
        yield "the image is not the overlay's"
    account = made["ServiceAccount", "aws-mfa-exporter"]
    if "eks.amazonaws.com/role-arn" not in account["metadata"]["annotations"]:
        yield "the service account has no role"
    if any(one["metadata"].get("namespace") != "aws-mfa-exporter" for one in made.values() if one["kind"] != "Namespace"):
        yield "an object is in another namespace"


# === rules and dashboards ===


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


def pages_show_values_that_work():
    """Every set of values in the chart's page and in the walk for EKS is taken; each is of the form that a site would write."""
    shown = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    shown += re.findall(r"cat >values.yaml <<EOF\n(.*?)EOF\n", (ROOT / "deploy/eks.md").read_text(), re.DOTALL)
    if len(shown) < 5:
        yield f"{len(shown)} sets of values are shown"
    for text in shown:
        with values_file(yaml.safe_load(text)) as file:
            done = helm("template", "--values", file.name)
        if done.returncode:
            yield f"{text}\n{done.stderr}"


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


# === AWS ===


def templates_are_clean():
    """cfn-lint, checkov and terraform's own formatter."""
    yield run(BIN / "cfn-lint", *sorted((ROOT / "deploy/iam").glob("*.yaml")))
    yield run("node", TOOLS / "fmt.mjs", *sorted((ROOT / "deploy/iam/terraform").rglob("*.tf")))
    with tempfile.TemporaryDirectory() as folder:
        for values in ("organization", "shards", "pod-identity", "client-certificates", "stateless"):
            made = render(HERE / "values" / f"{values}.yaml")
            (Path(folder) / f"{values}.yaml").write_text(yaml.safe_dump_all(made))
        quiet = ["--quiet", "--compact", "--skip-download"]
        yield run(BIN / "checkov", *quiet, "--framework", "cloudformation", "-d", "deploy/iam")
        yield run(BIN / "checkov", *quiet, "--framework", "terraform", "-d", "deploy/iam/terraform")
        yield run(BIN / "checkov", *quiet, "--framework", "kubernetes", "--skip-check", ",".join(EXCEPTIONS), "-d", folder)


# What checkov asks for and the chart does otherwise, and why.
EXCEPTIONS = {
    "CKV_K8S_11": "No limit on CPU: a throttled exporter would answer scrapes late, and its use is bounded by its rates.",
    "CKV_K8S_15": "Images are named by version or digest, and need not be pulled again.",
    "CKV_K8S_43": "The digest of an image is the site's to set; image.digest is there for it.",
}


def stacks_make_the_roles():
    """What each role trusts, for every choice of parameters."""
    yield from stacks.mistakes()


def modules_make_the_same_roles():
    """As Terraform would evaluate them."""
    yield from modules.mistakes()


def yaml_is_clean():
    """yamllint, with the widths of the repository."""
    yield run(BIN / "yamllint", "--strict", "-c", HERE / "yamllint.yaml", CHART / "values.yaml", CHART / "Chart.yaml", HERE / "values",
              HERE / "golden", "deploy/iam", EXAMPLE, "deploy/kubernetes/base")


CHECKS = [
    both_helms_lint_and_agree, it_can_be_packaged, wrong_values_are_refused, every_value_does_something, objects_are_valid,
    pods_are_restricted, the_example_is_whole, rules_are_the_programs_own, promtool_takes_the_rules,
    vmalert_takes_the_rules, severities_follow_the_unit, pages_show_values_that_work, dashboards_are_the_files,
    templates_are_clean, stacks_make_the_roles, modules_make_the_same_roles,
    yaml_is_clean,
]


def main():
    """Runs all of them, and tells every mistake."""
    wanted = sys.argv[1:]
    mistakes = []
    for check in CHECKS:
        if not wanted or check.__name__ in wanted:
            found = [told for told in check() if told]
            print(f"{'FAILED' if found else 'ok':7}{check.__name__.replace('_', ' ')}", flush=True)
            mistakes += found
    if mistakes:
        raise SystemExit("\n".join(mistakes))


if __name__ == "__main__":
    main()
