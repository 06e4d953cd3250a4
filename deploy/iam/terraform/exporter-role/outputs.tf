output "role_arn" {
  description = "ARN of the role, the exporter_principal of the member role."
  value       = aws_iam_role.this.arn
}

output "instance_profile_name" {
  description = "Name of the instance profile, where ec2 is set."
  value       = one(aws_iam_instance_profile.this[*].name)
}
