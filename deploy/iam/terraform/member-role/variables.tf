variable "exporter_principal" {
  description = "ARN of the role or user that the exporter runs as. It need not exist yet."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/.+$", var.exporter_principal))
    error_message = "exporter_principal must be the ARN of a role or user, arn:aws:iam::111111111111:role/NAME."
  }
}

variable "organization_id" {
  description = "The exporter must belong to this organization (o-...); empty for any."
  type        = string
  default     = ""
}

variable "external_id" {
  description = "The external id that the exporter is configured to send; empty for none."
  type        = string
  default     = ""
}

variable "role_name" {
  description = "Name of the role, the organization.role_name of the exporter."
  type        = string
  default     = "aws-mfa-exporter"
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}
