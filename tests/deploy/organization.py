"""deploy/iam/organization.yaml, made from member-role.yaml: the member role as a StackSet, and as a role of the management
account. CloudFormation takes a StackSet's template as text, or from a bucket that somebody would have to keep."""

import re
import textwrap
from pathlib import Path

IAM = Path(__file__).resolve().parents[2] / "deploy/iam"

HEAD = """\
# Made from member-role.yaml by tests/deploy/generate.py; change that one.
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  The role of aws-mfa-exporter in every account of an organization: a service-managed StackSet, which gives it to every
  member, new ones included, and the same role in the management account, which no StackSet reaches. Deploy it once, in the
  management account, with trusted access for CloudFormation StackSets.
"""

PARAMETERS = """\
  TargetIds:
    Type: CommaDelimitedList
    Description: Ids of the organizational units whose accounts get the role, or of the root (r-...) for all accounts
  ManagementRole:
    Type: String
    Default: "true"
    AllowedValues: ["true", "false"]
    Description: >-
      Whether this account, the management account, gets the role too. false where the exporter runs here, because it reads
      its own account with its own credentials, and where this stack is deployed by a delegated administrator
  CallAs:
    Type: String
    Default: SELF
    AllowedValues: [SELF, DELEGATED_ADMIN]
    Description: DELEGATED_ADMIN where this stack is deployed by a delegated administrator of StackSets
"""

STACK_SET = """\
  StackSet:
    Type: AWS::CloudFormation::StackSet
    Properties:
      StackSetName: !Sub ${RoleName}-role
      Description: The role that aws-mfa-exporter assumes in each account
      PermissionModel: SERVICE_MANAGED
      CallAs: !Ref CallAs
      # An account that joins the organization gets the role within minutes; one that leaves it loses the role.
      AutoDeployment:
        Enabled: true
        RetainStacksOnAccountRemoval: false
      Capabilities: [CAPABILITY_NAMED_IAM]
      ManagedExecution:
        Active: true
      # One account in which it fails does not keep the role from the others.
      OperationPreferences:
        FailureTolerancePercentage: 100
        MaxConcurrentPercentage: 100
      Parameters:
        - ParameterKey: ExporterPrincipal
          ParameterValue: !Ref ExporterPrincipal
        - ParameterKey: OrganizationId
          ParameterValue: !Ref OrganizationId
        - ParameterKey: ExternalId
          ParameterValue: !Ref ExternalId
        - ParameterKey: RoleName
          ParameterValue: !Ref RoleName
      StackInstancesGroup:
        - DeploymentTargets:
            OrganizationalUnitIds: !Ref TargetIds
          Regions: [!Ref "AWS::Region"]
      TemplateBody: |
"""


def section(template: str, name: str) -> str:
    """The lines below a key at the top."""
    return re.search(rf"^{name}:\n((?:  .*\n)+)", template, re.MULTILINE).group(1)


def template() -> str:
    """The whole template."""
    member = (IAM / "member-role.yaml").read_text()
    role = section(member, "Resources").replace("  Role:\n", "  Role:\n    Condition: InManagementAccount\n", 1)
    conditions = '  InManagementAccount: !Equals [!Ref ManagementRole, "true"]\n' + section(member, "Conditions")
    return (
        HEAD
        + "Parameters:\n" + section(member, "Parameters") + PARAMETERS
        + "Conditions:\n" + conditions
        + "Resources:\n" + role + STACK_SET + textwrap.indent(member, " " * 8)
        + "Outputs:\n  StackSetId:\n    Description: Id of the StackSet\n    Value: !Ref StackSet\n"
    )
