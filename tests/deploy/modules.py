"""The Terraform modules, evaluated by tfparse, which needs no provider: that their roles trust what the CloudFormation templates'
do, for the same choices. It knows nothing that AWS would tell, such as the account's own number."""

import json
import shutil
import tempfile
from pathlib import Path

import yaml
from tfparse import load_from_path

from organization import IAM
from stacks import ASKED, ELSEWHERE, EXPORTER, OIDC, QUEUE, Plain, member

ROOT = {
    "plain": ("member-role", {"exporter_principal": EXPORTER}),
    "asked": (
        "member-role",
        {"exporter_principal": EXPORTER, "organization_id": ASKED["aws:PrincipalOrgID"], "external_id": ASKED["sts:ExternalId"]},
    ),
    "external": ("member-role", {"exporter_principal": EXPORTER, "external_id": "secret"}),
    "oidc": ("exporter-role", {"irsa": {"provider_arn": f"arn:aws:iam::111111111111:oidc-provider/{OIDC}"}}),
    "pods": ("exporter-role", {"pod_identity": {"cluster_name": "tools"}, "read_units_and_tags": True}),
    "ec2": ("exporter-role", {"ec2": True, "member_role_name": "audit/mfa"}),
    "queue": ("events-queue", {"organization_id": ASKED["aws:PrincipalOrgID"]}),
    "rule": ("events-rule", {"queue_arn": QUEUE.format(ELSEWHERE), "reader_role_name": "audit/mfa"}),
    "silent": ("events-rule", {"queue_arn": QUEUE.format(ELSEWHERE).replace("us-east-1", "cn-north-1")}),
}


def evaluated():
    """The modules' blocks, by kind, and each with the name of its module."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in sorted({module for module, _ in ROOT.values()}):
            shutil.copytree(IAM / "terraform" / name, root / name)
        calls = {name: {"source": f"./{module}", **given} for name, (module, given) in ROOT.items()}
        (root / "main.tf.json").write_text(json.dumps({"module": calls}))
        blocks = load_from_path(root)
    named = {}
    for kind, found in blocks.items():
        for block in found:
            path = block["__tfmeta"]["path"].split(".")
            if path[0] == "module" and len(path) > 2:
                named.setdefault(kind, {}).setdefault(path[1], {})[path[-1]] = block
    return named


def many(blocks):
    """Blocks of which there may be one."""
    return blocks if isinstance(blocks, list) else [blocks]


def conditions(statement):
    """The conditions of a statement, by name; None where AWS would have to be asked."""
    return {one["variable"]: one["values"][0] for one in many(statement.get("condition", []))}


TRUSTED = {
    "oidc": {
        f"{OIDC}:aud": "sts.amazonaws.com",
        f"{OIDC}:sub": "system:serviceaccount:aws-mfa-exporter:aws-mfa-exporter",
    },
    "pods": {
        "aws:SourceAccount": None,
        "aws:RequestTag/kubernetes-namespace": "aws-mfa-exporter",
        "aws:RequestTag/kubernetes-service-account": "aws-mfa-exporter",
    },
    "ec2": {},
}


def mistakes_of_events(found):
    """A rule that sends something else than that of the template, or in another state."""
    template = yaml.load((IAM / "events-rule.yaml").read_text(), Plain)
    names = template["Resources"]["Rule"]["Properties"]["EventPattern"]["detail"]["$or"][0]["eventName"]
    states = {"rule": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", "silent": "ENABLED"}
    for name, state in states.items():
        rule = found["aws_cloudwatch_event_rule"][name]["this"]
        if rule["state"] != state:
            yield f"{name}: the rule is {rule['state']}"
    # Whose calls are echoes only AWS can tell, so the pattern is not known here: the text is.
    text = (IAM / "terraform/events-rule/main.tf").read_text()
    for missing in [name for name in [*names, "aws.signin", "exists = false"] if name not in text]:
        yield f"events-rule: the pattern lacks {missing}"
    if not found["aws_sqs_queue"]["queue"]["this"]["sqs_managed_sse_enabled"]:
        yield "events-queue: it is not encrypted"


def mistakes():
    """Each role that trusts, or may do, something else."""
    found = evaluated()
    for name, asked in (("plain", {}), ("asked", ASKED), ("external", {"sts:ExternalId": "secret"})):
        policy = json.loads(found["aws_iam_role"][name]["this"]["assume_role_policy"])
        trusts = [(one["Action"], one["Principal"], one["Condition"]) for one in policy["Statement"]]
        if trusts != member(asked):
            yield f"{name}: trusts {trusts}, not {member(asked)}"
    for name, wanted in TRUSTED.items():
        statements = many(found["aws_iam_policy_document"][name]["trust"]["statement"])
        if len(statements) != 1 or conditions(statements[0]) != wanted:
            yield f"{name}: trusts {statements}"
    policies = {name: found["aws_iam_role_policy"][name]["organization"]["policy"] for name in TRUSTED}
    if "organizations:ListTagsForResource" not in policies["pods"] or "ListTags" in policies["oidc"]:
        yield "read_units_and_tags does not decide what is read"
    if "role/audit/mfa" not in policies["ec2"] or "role/aws-mfa-exporter\"" not in policies["oidc"]:
        yield "member_role_name does not name the role"
    yield from mistakes_of_events(found)
    if "this[0]" not in found["aws_iam_instance_profile"]["ec2"] or "oidc" in found["aws_iam_instance_profile"]:
        yield "an instance profile is for EC2 alone"
