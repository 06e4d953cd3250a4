output "queue_url" {
  description = "For --events.queue-url, or events in the configuration."
  value       = aws_sqs_queue.this.url
}

output "queue_arn" {
  description = "For queue_arn of events-rule."
  value       = aws_sqs_queue.this.arn
}
