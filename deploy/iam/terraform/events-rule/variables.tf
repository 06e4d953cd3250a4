variable "queue_arn" {
  description = "ARN of the exporter's queue, in the Region of the provider."
  type        = string

  validation {
    condition = can(regex(
      "^arn:[a-z-]+:sqs:(us-east-1|cn-north-1|us-gov-west-1|eusc-de-east-1):[0-9]{12}:[A-Za-z0-9_-]+$", var.queue_arn
    ))
    error_message = "queue_arn must be the ARN of a standard queue in the Region of IAM's events: us-east-1, in China cn-north-1, in GovCloud us-gov-west-1."
  }
}

variable "rule_name" {
  description = "Name of the rule and of its role, as in events-queue."
  type        = string
  default     = "aws-mfa-exporter-events"
}

variable "reader_role_name" {
  description = "For echoes: name of the role by which the exporter reads this account, with its path if it has one. Empty for no echoes, where the account's trail does not record reads."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of the rule and of its role."
  type        = map(string)
  default     = {}
}
