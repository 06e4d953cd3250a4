variable "organization_id" {
  description = "Only rules of accounts of this organization (o-...) may send."
  type        = string

  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "organization_id must be the id of an organization, o- and 10 to 32 letters and digits."
  }
}

variable "queue_name" {
  description = "Name of the queue."
  type        = string
  default     = "aws-mfa-exporter-events"
}

variable "rule_name" {
  description = "Name of the rule and of its role in every account, as in events-rule."
  type        = string
  default     = "aws-mfa-exporter-events"
}

variable "tags" {
  description = "Tags of the queue."
  type        = map(string)
  default     = {}
}
