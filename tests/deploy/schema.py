"""values.schema.json, made from values.yaml and from what is said here of single values. A key that values.yaml does not have is
a mistake everywhere but in what Kubernetes, Prometheus or the exporter define; an account's id must be text, because Helm would
make 1.11e+11 of the number."""

import yaml

from chart import CHART

ACCOUNT_ID = {"type": "string", "pattern": "^[0-9]{12}$"}
DURATION = {"type": "string", "pattern": "^[0-9]+[smhd]$"}
PROMETHEUS_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
NAME = {"type": "string", "maxLength": 63, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"}
URL = {"type": "string", "pattern": "^(https?://[^ \"'`{}<>\\\\#]+)?$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
LABEL = {"type": "string", "pattern": "^(ou|tag_[A-Za-z0-9_]+)$"}
SEVERITY = {"type": "string", "minLength": 1}
OBJECT = {"type": "object"}
OBJECTS = {"type": "array", "items": {"type": "object"}}
IDS = {"type": "array", "items": ACCOUNT_ID}
FILTER = {"type": "object", "properties": {"accounts": IDS}}

# Of the exporter's configuration the exporter itself tells every mistake, with its line; here is what Helm would spoil.
CONFIG = {
    "type": "object",
    "properties": {
        "organization": {"type": "object", "properties": {"include": FILTER, "exclude": FILTER}},
        "accounts": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": ACCOUNT_ID}}},
        "exemptions": {"type": "array", "items": {"type": "object", "properties": {"account": ACCOUNT_ID}}},
    },
}

RULE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "enabled": {"type": "boolean"},
        "for": PROMETHEUS_DURATION,
        "keepFiringFor": PROMETHEUS_DURATION,
        "severity": SEVERITY,
        "labels": TEXTS,
        "annotations": TEXTS,
        "expr": {"type": "string", "minLength": 1},
    },
}

MONITOR = {
    "additionalLabels": TEXTS,
    "interval": PROMETHEUS_DURATION,
    "scrapeTimeout": PROMETHEUS_DURATION,
    "tlsConfig": OBJECT,
    "basicAuth": OBJECT,
    "relabelings": OBJECTS,
    "metricRelabelings": OBJECTS,
}

# By path; whatever has none has the type of its default.
SAID = {
    "nameOverride": NAME,
    "fullnameOverride": NAME,
    "namespaceOverride": NAME,
    "commonLabels": TEXTS,
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "imagePullSecrets": OBJECTS,
    "shards": {"type": "integer", "minimum": 1, "maximum": 1000},
    "config": CONFIG,
    "log.level": {"enum": ["debug", "info", "warn", "error"]},
    "log.format": {"enum": ["logfmt", "json"]},
    "web.port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "web.telemetryPath": {"type": "string", "pattern": "^/[^?# %]+$"},
    "web.config": OBJECT,
    "web.scheme": {"enum": ["", "HTTP", "HTTPS"]},
    "persistence.accessModes": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
    },
    "persistence.size": {"type": "string", "pattern": "^[0-9]+([.][0-9]+)?([KMGT]i?)?$"},
    "persistence.annotations": TEXTS,
    "persistence.retentionPolicy": {
        "type": "object",
        "additionalProperties": False,
        "properties": {when: {"enum": ["Retain", "Delete"]} for when in ("whenDeleted", "whenScaled")},
    },
    "serviceAccount.annotations": TEXTS,
    "extraArgs": {"type": "array", "items": {"type": "string"}},
    "extraManifests": {"type": "array", "items": {"type": ["object", "string"]}},
    "annotations": TEXTS,
    "podAnnotations": TEXTS,
    "podLabels": TEXTS,
    "podSecurityContext": OBJECT,
    "securityContext": OBJECT,
    "resources": OBJECT,
    "nodeSelector": TEXTS,
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 10},
    "updateStrategy": OBJECT,
    "revisionHistoryLimit": {"type": "integer", "minimum": 0},
    "dnsPolicy": {"enum": ["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]},
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "service.port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "service.annotations": TEXTS,
    "service.labels": TEXTS,
    "networkPolicy.ingressFrom": OBJECTS,
    "networkPolicy.extraEgress": OBJECTS,
    "podDisruptionBudget.maxUnavailable": {"type": ["integer", "string"]},
    **{f"{kind}.{key}": said for kind in ("serviceMonitor", "podMonitor") for key, said in MONITOR.items()},
    "prometheusRule.additionalLabels": TEXTS,
    "prometheusRule.set": {"enum": ["full", "simple"]},
    "prometheusRule.runbookUrl": URL,
    "prometheusRule.grafanaUrl": URL,
    "prometheusRule.job": {"type": "string", "pattern": "^[^\"\\\\{}\\n]*$"},
    "prometheusRule.grace": DURATION,
    "prometheusRule.unprotectedGrace": DURATION,
    "prometheusRule.newUnprotectedGrace": DURATION,
    "prometheusRule.memory": DURATION,
    "prometheusRule.accountLabels": {"type": "array", "uniqueItems": True, "items": LABEL},
    "prometheusRule.severityByOu": {"type": "object", "additionalProperties": SEVERITY},
    "prometheusRule.additionalRuleLabels": TEXTS,
    "prometheusRule.additionalRuleAnnotations": TEXTS,
    "prometheusRule.rules": {"type": "object", "additionalProperties": RULE},
    "dashboards.annotations": TEXTS,
    "dashboards.grafanaOperator.instanceSelector": OBJECT,
    "dashboards.grafanaOperator.resyncPeriod": PROMETHEUS_DURATION,
}


def of(value, path, seen):
    """What may stand in the place of a default."""
    if path in SAID:
        seen.add(path)
        return SAID[path]
    if isinstance(value, dict) and value:
        keys = {key: of(one, f"{path}.{key}".lstrip("."), seen) for key, one in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": keys}
    kinds = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
    kind = kinds[type(value)]
    return {"type": kind, "items": OBJECT} if kind == "array" else {"type": kind}


def schema():
    """The whole schema."""
    seen = set()
    made = of(yaml.safe_load((CHART / "values.yaml").read_text()), "", seen)
    assert seen == set(SAID), f"no such values: {set(SAID) - seen}"
    # Helm itself sets these for a chart within another.
    made["properties"].update({"global": OBJECT, "enabled": {"type": "boolean"}})
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of aws-mfa-exporter", **made}
