# The role that aws-mfa-exporter runs as, in the account in which it runs: a delegated administrator of the organization,
# rather than the management account.

locals {
  oidc_provider = var.irsa == null ? "" : split(":oidc-provider/", var.irsa.provider_arn)[1]
  exporter_file = var.read_units_and_tags ? "exporter-units-and-tags.json" : "exporter.json"
  exporter_json = file("${path.module}/${local.exporter_file}")
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = var.irsa == null ? [] : [var.irsa]

    content {
      sid     = "ServiceAccountByOidc"
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.value.provider_arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.oidc_provider}:aud"
        values   = ["sts.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.oidc_provider}:sub"
        values   = ["system:serviceaccount:${statement.value.namespace}:${statement.value.service_account}"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.pod_identity == null ? [] : [var.pod_identity]

    content {
      sid     = "ServiceAccountByPodIdentity"
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-namespace"
        values   = [statement.value.namespace]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-service-account"
        values   = [statement.value.service_account]
      }
    }
  }

  dynamic "statement" {
    for_each = var.ec2 ? [true] : []

    content {
      sid     = "Ec2Instance"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = ["ec2.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  description          = "aws-mfa-exporter runs as this role and assumes the member role in each account"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
  tags                 = var.tags

  lifecycle {
    precondition {
      condition     = var.irsa != null || var.pod_identity != null || var.ec2
      error_message = "Set irsa, pod_identity or ec2, because otherwise nobody could assume the role."
    }
  }
}

# The exporter's own account, which it reads without a member role.
resource "aws_iam_role_policy" "reads" {
  name   = "aws-mfa-exporter-reads"
  role   = aws_iam_role.this.id
  policy = file("${path.module}/account.json")
}

resource "aws_iam_role_policy" "organization" {
  name   = "aws-mfa-exporter-organization"
  role   = aws_iam_role.this.id
  policy = replace(local.exporter_json, ":role/aws-mfa-exporter\"", ":role/${var.member_role_name}\"")
}

# The condition in this policy is what makes it a read. Without it, the same permission allows to delete root's credentials.
resource "aws_iam_role_policy" "rootaudit" {
  count = var.audit_root ? 1 : 0

  name   = "aws-mfa-exporter-rootaudit"
  role   = aws_iam_role.this.id
  policy = file("${path.module}/rootaudit.json")
}

resource "aws_iam_instance_profile" "this" {
  count = var.ec2 ? 1 : 0

  name = var.role_name
  role = aws_iam_role.this.name
  tags = var.tags
}

resource "aws_eks_pod_identity_association" "this" {
  count = var.pod_identity == null ? 0 : 1

  cluster_name    = var.pod_identity.cluster_name
  namespace       = var.pod_identity.namespace
  service_account = var.pod_identity.service_account
  role_arn        = aws_iam_role.this.arn
  tags            = var.tags
}
