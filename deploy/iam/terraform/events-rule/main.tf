# The rule that sends events of IAM and of root's sign-in to the queue of aws-mfa-exporter, as ../../events-rule.yaml makes it. A
# StackSet of that template reaches every account of an organization, new ones included; this module is for one account, and for
# the management account. Its provider must be of the queue's Region. A trail with logging must be on in the account.

data "aws_caller_identity" "current" {}

locals {
  # arn:PARTITION:sqs:REGION:ACCOUNT:NAME
  queue      = split(":", var.queue_arn)
  account    = data.aws_caller_identity.current.account_id
  has_echoes = var.reader_role_name != ""
}

# Not in the account of the queue: there EventBridge sends by itself, and a role can make it fail.
resource "aws_iam_role" "sends" {
  count = local.queue[4] == local.account ? 0 : 1

  name        = var.rule_name
  description = "By which EventBridge sends events to the queue of aws-mfa-exporter"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "EventBridgeAssumes"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike = {
            "aws:SourceArn" = "arn:${local.queue[1]}:events:${local.queue[3]}:${local.account}:rule/${var.rule_name}"
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "sends" {
  count = length(aws_iam_role.sends)

  name = "aws-mfa-exporter-events"
  role = aws_iam_role.sends[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Sends"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = var.queue_arn
      },
    ]
  })
}

resource "aws_cloudwatch_event_rule" "this" {
  name        = var.rule_name
  description = "Has aws-mfa-exporter read this account when something of IAM changes"
  tags        = var.tags

  # The exporter's own calls are reads, which an ENABLED rule does not see. One rule is for both, so that nobody can disable it
  # and leave the echoes.
  state = local.has_echoes ? "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" : "ENABLED"

  event_pattern = jsonencode({
    # Without source, anybody with events:PutEvents in this account could forge such an event.
    source = ["aws.iam", "aws.signin"]
    detail = {
      # A call that was refused has changed nothing.
      errorCode = [{ exists = false }]
      "$or" = [
        {
          eventName = [
            "EnableMFADevice",
            "DeactivateMFADevice",
            "CreateVirtualMFADevice",
            "DeleteVirtualMFADevice",
            "ResyncMFADevice",
            "CreateLoginProfile",
            "UpdateLoginProfile",
            "DeleteLoginProfile",
            "ChangePassword",
            "PasswordUpdated",
            "CreateAccessKey",
            "UpdateAccessKey",
            "DeleteAccessKey",
            "UploadSigningCertificate",
            "UpdateSigningCertificate",
            "DeleteSigningCertificate",
            "CreateUser",
            "UpdateUser",
            "DeleteUser",
            "PasswordRecoveryRequested",
            "PasswordRecoveryCompleted",
            "EmailUpdated",
            "DisableOrganizationsRootCredentialsManagement",
            "DisableOrganizationsRootSessions",
          ]
        },
        # Root has signed in.
        {
          eventName        = ["ConsoleLogin"]
          userIdentity     = { type = ["Root"] }
          responseElements = { ConsoleLogin = ["Success"] }
        },
        # The exporter's own call: an echo. Without reader_role_name it is nobody's.
        {
          eventName = ["GetAccountSummary"]
          userIdentity = {
            sessionContext = {
              sessionIssuer = {
                arn = ["arn:${local.queue[1]}:iam::${local.account}:role/${var.reader_role_name}"]
              }
            }
          }
        },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "aws-mfa-exporter"
  arn       = var.queue_arn
  role_arn  = one(aws_iam_role.sends[*].arn)

  # What could not be delivered for an hour is of no use any more: the account was read many times since.
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }
}
