# The queue from which aws-mfa-exporter receives events, as ../../events-queue.yaml makes it. Only the rules that events-rule makes
# in the accounts of the organization may send to it. Its provider must be of the Region of IAM's events: us-east-1, cn-north-1 or
# us-gov-west-1. Each exporter needs a queue of its own.

locals {
  # arn:PARTITION:sqs:REGION:ACCOUNT:NAME
  arn = split(":", aws_sqs_queue.this.arn)
}

resource "aws_sqs_queue" "this" {
  # checkov:skip=CKV_AWS_27:It is encrypted, by keys of SQS; the check knows only KMS
  name = var.queue_name
  # Encrypted by keys of SQS, which every sender may use. A KMS key would have to allow it to each of them.
  sqs_managed_sse_enabled = true
  # What is older starts no read that the exporter has not made already.
  message_retention_seconds = 3600
  receive_wait_time_seconds = 20
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # A rule in another account sends by a role of that account. The principal can be anybody, so both conditions must hold.
      {
        Sid       = "RulesOfMembers"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this.arn
        Condition = {
          StringEquals = { "aws:PrincipalOrgID" = var.organization_id }
          ArnLike      = { "aws:PrincipalArn" = "arn:${local.arn[1]}:iam::*:role/${var.rule_name}" }
        }
      },
      # The rule in this account sends without a role.
      {
        Sid       = "RuleOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this.arn
        Condition = {
          ArnEquals = {
            "aws:SourceArn" = "arn:${local.arn[1]}:events:${local.arn[3]}:${local.arn[4]}:rule/${var.rule_name}"
          }
        }
      },
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.this.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
