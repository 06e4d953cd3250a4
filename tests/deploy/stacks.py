"""The CloudFormation templates, deployed in moto: what their roles trust, for every choice of parameters, and who may send events. moto knows neither
StackSets nor EKS, and passes over these."""

import contextlib
import io
import json
import os
import warnings

os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

import boto3
import yaml
from moto import mock_aws

from organization import IAM

EXPORTER = "arn:aws:iam::111111111111:role/aws-mfa-exporter-runner"
OIDC = "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"
ASKED = {"aws:PrincipalOrgID": "o-exampleorgid", "sts:ExternalId": "secret"}
OURS = {"ExporterPrincipal": EXPORTER, "RoleName": "role"}


def trust(template, **parameters):
    """What the role of a template trusts, without versions and names of statements."""
    with mock_aws(), warnings.catch_warnings(action="ignore"), contextlib.redirect_stderr(io.StringIO()):
        boto3.client("cloudformation").create_stack(
            StackName="stack",
            TemplateBody=(IAM / template).read_text(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        role = boto3.client("iam").get_role(RoleName="role")["Role"]
        return [
            (statement["Action"], statement["Principal"], statement.get("Condition"))
            for statement in role["AssumeRolePolicyDocument"]["Statement"]
        ]


def member(asked):
    """What the member role is to trust."""
    account = {"AWS": "arn:aws:iam::111111111111:root"}
    named = {"ArnEquals": {"aws:PrincipalArn": EXPORTER}}
    return [
        ("sts:AssumeRole", account, named | ({"StringEquals": asked} if asked else {})),
        ("sts:TagSession", account, named),
    ]


def service_account(kind, more):
    """A service account, by its namespace and name."""
    return {"StringEquals": {f"{kind}namespace": "aws-mfa-exporter", f"{kind}service-account": "aws-mfa-exporter"} | more}


CASES = [
    ("member-role.yaml", OURS, member({})),
    ("member-role.yaml", OURS | {"ExternalId": "secret"}, member({"sts:ExternalId": "secret"})),
    ("member-role.yaml", OURS | {"OrganizationId": "o-exampleorgid"}, member({"aws:PrincipalOrgID": "o-exampleorgid"})),
    (
        "organization.yaml",
        OURS | {"TargetIds": "r-abcd", "ExternalId": "secret", "OrganizationId": "o-exampleorgid"},
        member(ASKED),
    ),
    (
        "exporter-role.yaml",
        {"RoleName": "role", "Trust": "OIDC", "OidcProviderArn": f"arn:aws:iam::111111111111:oidc-provider/{OIDC}"},
        [(
            "sts:AssumeRoleWithWebIdentity",
            {"Federated": f"arn:aws:iam::111111111111:oidc-provider/{OIDC}"},
            {"StringEquals": {
                f"{OIDC}:aud": "sts.amazonaws.com",
                f"{OIDC}:sub": "system:serviceaccount:aws-mfa-exporter:aws-mfa-exporter",
            }},
        )],
    ),
    (
        "exporter-role.yaml",
        {"RoleName": "role", "Trust": "POD_IDENTITY", "ClusterName": "tools"},
        [(
            ["sts:AssumeRole", "sts:TagSession"],
            {"Service": "pods.eks.amazonaws.com"},
            service_account("aws:RequestTag/kubernetes-", {"aws:SourceAccount": "123456789012"}),
        )],
    ),
    (
        "exporter-role.yaml",
        {"RoleName": "role", "Trust": "EC2"},
        [("sts:AssumeRole", {"Service": "ec2.amazonaws.com"}, None)],
    ),
]


def mistakes():
    """Each role that trusts something else."""
    for template, parameters, wanted in CASES:
        found = trust(template, **parameters)
        if found != wanted:
            yield f"{template} with {parameters} trusts {found}, not {wanted}"
    yield from mistakes_of_events()


QUEUE = "arn:aws:sqs:us-east-1:{}:aws-mfa-exporter-events"
HERE, ELSEWHERE = "123456789012", "111111111111"


def deployed(template, **parameters):
    """Deploys a template; inside of moto alone."""
    boto3.client("cloudformation").create_stack(
        StackName=template.split(".")[0],
        TemplateBody=(IAM / template).read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )


class Plain(yaml.SafeLoader):
    """A template whose functions stay the texts that they have."""


Plain.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))


def senders():
    """Who may send to the queue, each with the conditions: as it stands there, since moto knows no policies of queues."""
    template = yaml.load((IAM / "events-queue.yaml").read_text(), Plain)
    policy = template["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"]
    allowed = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    return [(json.dumps(statement["Principal"]), statement["Condition"]) for statement in allowed]


def rules(queue_account, reader):
    """The rules of an account by name: state, sources, whose calls are echoes, and whether a role sends."""
    with mock_aws(), warnings.catch_warnings(action="ignore"):
        deployed("events-rule.yaml", QueueArn=QUEUE.format(queue_account), ReaderRoleName=reader)
        events, found = boto3.client("events"), {}
        for rule in events.list_rules()["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            pattern = json.loads(rule["EventPattern"])
            echo = [one for one in pattern["detail"]["$or"] if one["eventName"] == ["GetAccountSummary"]]
            readers = [one["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] for one in echo]
            sends = [(one["Arn"], bool(one.get("RoleArn"))) for one in targets]
            found[rule["Name"]] = (rule["State"], pattern["source"], readers, sends)
        return found


def mistakes_of_events():
    """A queue that others may send to, a rule that forged events pass, a role where none may be."""
    rule = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${RuleName}"
    wanted = [
        (
            '{"AWS": "*"}',
            {
                "StringEquals": {"aws:PrincipalOrgID": "OrganizationId"},
                "ArnLike": {"aws:PrincipalArn": "arn:${AWS::Partition}:iam::*:role/${RuleName}"},
            },
        ),
        ('{"Service": "events.amazonaws.com"}', {"ArnEquals": {"aws:SourceArn": rule}}),
    ]
    if (found := senders()) != wanted:
        yield f"events-queue.yaml lets {found} send, not {wanted}"
    for account, reader in [(HERE, ""), (ELSEWHERE, ""), (ELSEWHERE, "audit/mfa"), (HERE, "audit/mfa")]:
        target = [(QUEUE.format(account), account == ELSEWHERE)]
        state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" if reader else "ENABLED"
        readers = [[f"arn:aws:iam::{HERE}:role/{reader}"]]
        wanted = {"aws-mfa-exporter-events": (state, ["aws.iam", "aws.signin"], readers, target)}
        if (found := rules(account, reader)) != wanted:
            yield f"events-rule.yaml for a queue of {account} and reader {reader!r} makes {found}, not {wanted}"
