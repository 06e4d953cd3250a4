"""The CloudFormation templates, deployed in moto: what their roles trust, for every choice of parameters. moto knows neither
StackSets nor EKS, and passes over these."""

import contextlib
import io
import os
import warnings

os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

import boto3
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
