variable "irsa" {
  description = "A service account of EKS by OIDC: the ARN of the cluster's OIDC provider."
  type = object({
    provider_arn    = string
    namespace       = optional(string, "aws-mfa-exporter")
    service_account = optional(string, "aws-mfa-exporter")
  })
  default = null
}

variable "pod_identity" {
  description = "A service account of EKS by EKS Pod Identity: the name of the cluster, which has the Pod Identity agent."
  type = object({
    cluster_name    = string
    namespace       = optional(string, "aws-mfa-exporter")
    service_account = optional(string, "aws-mfa-exporter")
  })
  default = null
}

variable "ec2" {
  description = "Whether the exporter runs on an EC2 instance. An instance profile is made then."
  type        = bool
  default     = false
}

variable "role_name" {
  description = "Name of the role. Its ARN is the exporter_principal of the member role."
  type        = string
  default     = "aws-mfa-exporter-runner"
}

variable "member_role_name" {
  description = "Name of the role in every account, the organization.role_name of the exporter."
  type        = string
  default     = "aws-mfa-exporter"
}

variable "read_units_and_tags" {
  description = "Whether the configuration chooses accounts by organizational unit or tag, or exports these as labels."
  type        = bool
  default     = false
}

variable "audit_root" {
  description = "Whether the collector rootaudit is enabled. The account must be the management account or the delegated administrator for IAM."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}
