"""The templates for AWS, and what linters say of everything."""

import tempfile
from pathlib import Path

import yaml

import modules
import stacks
from chart import BIN, CHART, HERE, ROOT, TOOLS, render, run


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
              HERE / "golden", "deploy/iam", "deploy/kubernetes/example", "deploy/kubernetes/base")


CHECKS = [
    templates_are_clean,
    stacks_make_the_roles,
    modules_make_the_same_roles,
    yaml_is_clean,
]
