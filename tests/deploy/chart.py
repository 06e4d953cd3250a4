"""The chart, and the real Helm that renders it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CHART = ROOT / "deploy/helm/aws-mfa-exporter"
VALUES = sorted((HERE / "values").glob("*.yaml"))
NAMESPACE = "aws-mfa"

BIN = Path(sys.executable).parent

# Set by tests/deploy/run.
TOOLS = Path(os.environ.get("TEST_DEPLOY_TOOLS", ROOT / "target/test-deploy"))


def helm(*arguments, version=4, chart=CHART):
    """Runs Helm on the chart."""
    command = [TOOLS / f"helm{version}", *arguments[:1], *(["mfa"] if arguments[0] == "template" else []), chart, *arguments[1:]]
    home = {f"HELM_{kind}_HOME": str(TOOLS / "helm-home") for kind in ("CACHE", "CONFIG", "DATA")}
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **home}, check=False)


def render(values, version=4, release="mfa"):
    """The objects that the chart makes of a file of values."""
    done = helm("template", "--namespace", NAMESPACE, "--values", str(values), version=version)
    if done.returncode:
        raise SystemExit(f"{values}: {done.stderr}")
    return objects(done.stdout)


def objects(text):
    """The objects of a stream of YAML."""
    return [one for one in yaml.safe_load_all(text) if one]


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


class Texts(yaml.SafeDumper):
    """YAML in which texts of several lines stand as they are, and a list is indented."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def write_text(dumper, text):
    """A text, as a block where it has several lines."""
    style = "|" if "\n" in text and not any(line.endswith(" ") for line in text.split("\n")) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Texts.add_representer(str, write_text)


def dump(documents):
    """Objects as YAML."""
    return yaml.dump_all(documents, Dumper=Texts, sort_keys=False, width=120, explicit_start=True, allow_unicode=True)
