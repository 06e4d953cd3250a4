# The role that aws-mfa-exporter assumes in an account. A StackSet (../../organization.yaml) gives it to every account of an
# organization, new ones included; this module is for one account, and for the management account.

locals {
  arn = split(":", var.exporter_principal)

  # The principal is the account, and the condition names the role: so the role may be made later than this one, and may be
  # deleted and made anew.
  account  = { AWS = "arn:${local.arn[1]}:iam::${local.arn[4]}:root" }
  exporter = { ArnEquals = { "aws:PrincipalArn" = var.exporter_principal } }

  asked = merge(
    var.organization_id == "" ? {} : { "aws:PrincipalOrgID" = var.organization_id },
    var.external_id == "" ? {} : { "sts:ExternalId" = var.external_id },
  )
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  description          = "Read by aws-mfa-exporter, which tells whether root and the users are protected by MFA"
  max_session_duration = 3600
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ExporterAssumes"
        Effect    = "Allow"
        Principal = local.account
        Action    = "sts:AssumeRole"
        Condition = merge(local.exporter, length(local.asked) == 0 ? {} : { StringEquals = local.asked })
      },
      # EKS Pod Identity tags its sessions, and the tags go with them into the next role. By itself this allows nothing.
      {
        Sid       = "ExporterBringsTags"
        Effect    = "Allow"
        Principal = local.account
        Action    = "sts:TagSession"
        Condition = local.exporter
      },
    ]
  })
}

resource "aws_iam_role_policy" "reads" {
  name   = "aws-mfa-exporter"
  role   = aws_iam_role.this.id
  policy = file("${path.module}/account.json")
}
