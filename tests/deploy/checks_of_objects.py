"""The objects that the chart and kustomize make."""

import json
import tempfile
from pathlib import Path

import yaml

from chart import BIN, TOOLS, VALUES, render, run
from kustomize import kustomized


VERSIONS = ("1.29", "1.36")
THEIRS = {"GrafanaDashboard", "PodMonitor", "PrometheusRule", "ServiceMonitor"}


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


CHECKS = [
    objects_are_valid,
    pods_are_restricted,
    the_example_is_whole,
]
