"""deploy/kubernetes: the chart as plain manifests with kustomize. The base is what the chart makes of no values; the components
add what the Prometheus operator and Grafana take."""

import subprocess
from pathlib import Path

from chart import ROOT, TOOLS, dump, objects, render, values_file

FOLDER = ROOT / "deploy/kubernetes"
HEAD = "# Made from the chart in ../helm by tests/deploy/generate.py; change that one, or kustomize this one.\n"
NAME = {"fullnameOverride": "aws-mfa-exporter"}

# kustomize makes the Secret of a file, and a new one with a new name when that changes, so that the pods are made anew.
BASE = NAME | {"existingConfigSecret": "aws-mfa-exporter-config"}
GENERATES = {"secretGenerator": [{"name": "aws-mfa-exporter-config", "files": ["config.yml"]}]}
CONFIG = "# The account of the exporter's credentials, alone. An overlay replaces this file; ../example is one.\n"
COMPONENTS = {
    "prometheus-operator": NAME | {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "grafana": NAME | {"dashboards": {"enabled": True}},
    "network-policy": NAME | {"networkPolicy": {"enabled": True}},
}
KINDS = {"ServiceMonitor", "PrometheusRule", "ConfigMap", "NetworkPolicy"}


def rendered(values):
    """The objects, by kind and name, without what only Helm and its releases know."""
    with values_file(values) as file:
        made = render(Path(file.name))
    for document in made:
        document["metadata"].pop("namespace", None)
        clean(document)
    return made


def clean(node):
    """Takes away Helm's labels, and the release's name."""
    if isinstance(node, dict):
        for label in ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"):
            node.pop(label, None)
        for value in node.values():
            clean(value)
    elif isinstance(node, list):
        for value in node:
            clean(value)


def file_name(document):
    """The file of an object."""
    name = document["metadata"]["name"].removeprefix("aws-mfa-exporter").strip("-")
    return "-".join(filter(None, [document["kind"].lower(), name])) + ".yaml"


def folder(made, kind, more=None):
    """The files of a folder: its objects and the kustomization that names them."""
    files = {file_name(document): HEAD + dump([document]) for document in made}
    api = "v1alpha1" if kind == "Component" else "v1beta1"
    head = {"apiVersion": f"kustomize.config.k8s.io/{api}", "kind": kind, "resources": sorted(files)}
    files["kustomization.yaml"] = HEAD + dump([head | (more or {})])
    return files


def files():
    """All of them, by path."""
    base = rendered(BASE)
    made = {FOLDER / "base" / name: text for name, text in folder(base, "Kustomization", GENERATES).items()}
    made[FOLDER / "base/config.yml"] = CONFIG
    for name, values in COMPONENTS.items():
        own = [document for document in rendered(values) if document["kind"] in KINDS]
        made |= {FOLDER / "components" / name / file: text for file, text in folder(own, "Component").items()}
    return made


def kustomized():
    """The example, as kubectl makes it."""
    done = subprocess.run([TOOLS / "kubectl", "kustomize", FOLDER / "example"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kubectl kustomize: {done.stderr}")
    return objects(done.stdout)
