"""Values that are refused, and a part of what is said of them."""

REFUSED = {
    "a key that does not exist": ({"replicaCount": 2}, "replicaCount"),
    "a key that does not exist, further down": ({"serviceMonitor": {"enable": True}}, "enable"),
    "the account's id as a number": ({"config": {"accounts": [{"id": 111111111111}]}}, "want string"),
    "an account's id of eleven digits": (
        {"config": {"organization": {"exclude": {"accounts": ["11111111111"]}}}},
        "does not match pattern",
    ),
    "no shard": ({"shards": 0}, "shards"),
    "a word for a number": ({"shards": "two"}, "want integer"),
    "a level that does not exist": ({"log": {"level": "trace"}}, "level"),
    "two configurations": ({"config": {"accounts": []}, "existingConfigSecret": "x"}, "Set one of config, existingConfigSecret"),
    "two web configurations": (
        {"web": {"config": {"headers": {}}, "existingConfigSecret": "x"}},
        "Set one of web.config and web.existingConfigSecret",
    ),
    "a scheme that cannot be known": (
        {"web": {"existingConfigSecret": "x"}, "serviceMonitor": {"enabled": True}},
        "Set web.scheme to HTTP or HTTPS",
    ),
    "two monitors": (
        {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
        "every pod is scraped twice",
    ),
    "an alert that does not exist": (
        {"prometheusRule": {"enabled": True, "rules": {"AwsMfaRootMfaOf": {"enabled": False}}}},
        "prometheusRule.rules has AwsMfaRootMfaOf, which is no alert of the set. The alerts are: AwsMfa",
    ),
    "a change of an alert that does not exist": (
        {"prometheusRule": {"rules": {"AwsMfaRootMfaOff": {"threshold": 1}}}},
        "threshold",
    ),
    "labels in the simple set": (
        {"prometheusRule": {"enabled": True, "set": "simple", "accountLabels": ["ou"]}},
        "needs prometheusRule.set=full",
    ),
    "a severity by a unit that no alert knows": (
        {"prometheusRule": {"enabled": True, "severityByOu": {"Sandbox": "info"}}},
        "needs ou among prometheusRule.accountLabels",
    ),
    "a label that nobody exports": (
        {
            "config": {"organization": {"role_name": "x", "labels": {"ou": True, "tags": ["cost centre"]}}},
            "prometheusRule": {"enabled": True, "accountLabels": ["ou", "tag_cost_centre", "tag_team"]},
        },
        "prometheusRule.accountLabels has tag_team, which the exporter does not export",
    ),
    "a label that alerts cannot carry": ({"prometheusRule": {"accountLabels": ["team"]}}, "does not match pattern"),
    "an address without a scheme": ({"prometheusRule": {"grafanaUrl": "grafana"}}, "does not match pattern"),
    "a duration without a unit": ({"prometheusRule": {"grace": "24"}}, "does not match pattern"),
    "a path of metrics that is none": ({"web": {"telemetryPath": "metrics"}}, "does not match pattern"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "does not match pattern"),
}
