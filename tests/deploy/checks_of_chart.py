"""The chart as a whole: that Helm takes it, what it refuses, and that its pages show what works."""

import re
import tempfile
from pathlib import Path

import yaml

from chart import CHART, ROOT, VALUES, helm, render, values_file
from refusals import REFUSED


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


CHECKS = [
    both_helms_lint_and_agree,
    it_can_be_packaged,
    wrong_values_are_refused,
    every_value_does_something,
    pages_show_values_that_work,
]
