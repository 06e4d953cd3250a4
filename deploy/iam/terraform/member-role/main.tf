# The role that aws-mfa-exporter assumes in an account. A StackSet (../../organization.yaml) gives it to every account of an
# organization, new ones included; this module is for one account, and for the management account.

locals {
  account = split(":", var.exporter_principal)[4]

  # The ids that are asked for, and none that is empty.
  asked = { for key, value in {
    "aws:PrincipalOrgID" = var.organization_id
    "sts:ExternalId"     = var.external_id
  } : key => value if value != "" }
}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  # The principal is the account, and the condition names the role: so the role may be made later than this one, and may be
  # deleted and made anew.
  statement {
    sid     = "ExporterAssumes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${local.account}:root"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = [var.exporter_principal]
    }

    dynamic "condition" {
      for_each = local.asked

      content {
        test     = "StringEquals"
        variable = condition.key
        values   = [condition.value]
      }
    }
  }

  # EKS Pod Identity tags its sessions, and the tags go with them into the next role. By itself this allows nothing.
  statement {
    sid     = "ExporterBringsTags"
    actions = ["sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${local.account}:root"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = [var.exporter_principal]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  description          = "Read by aws-mfa-exporter, which tells whether root and the users are protected by MFA"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "reads" {
  name   = "aws-mfa-exporter"
  role   = aws_iam_role.this.id
  policy = file("${path.module}/account.json")
}
