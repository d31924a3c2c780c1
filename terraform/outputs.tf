output "audit_bucket" {
  description = "Bucket of the lake: `analytics report --audit s3://…`."
  value       = module.bucket["audit"].id
}

output "config_bucket" {
  description = "Bucket of rules, suppressions and settings; the programs look for changes every config.refresh_seconds."
  value       = module.bucket["config"].id
}

output "failures_bucket" {
  description = "Bucket of batches that were given up, for `replay`."
  value       = module.bucket["failures"].id
}

output "stream_arn" {
  description = "ARN of the Kinesis stream."
  value       = local.stream_arn
}

output "bus_name" {
  description = "Bus of violations and repairs, to hang rules of your own on."
  value       = aws_cloudwatch_event_bus.this.name
}

output "topic_arns" {
  description = "SNS topics by name: alerts, priority, operations."
  value       = { for topic, resource in aws_sns_topic.this : topic => resource.arn }
}

output "log_destination_arn" {
  description = "Where log groups of other accounts subscribe, if log_source_account_ids is set."
  value       = one(aws_cloudwatch_log_destination.members[*].arn)
}

output "slack_webhook_parameter" {
  description = "SSM parameter to put the Slack webhook into."
  value       = var.notifications.slack.enabled ? local.slack_parameter : null
}

output "athena_workgroup" {
  description = "Workgroup of the named queries."
  value       = aws_athena_workgroup.this.name
}

output "database" {
  description = "Glue database of the tables and views."
  value       = aws_glue_catalog_database.this.name
}

output "dashboard_url" {
  description = "The dashboard."
  value       = "https://${local.region}.console.aws.amazon.com/cloudwatch/home?region=${local.region}#dashboards/dashboard/${var.name}"
}

output "function_names" {
  description = "Functions by program."
  value       = { for program in local.deployed : program => local.function_names[program] }
}

output "dead_letter_queues" {
  description = "Dead-letter queues by program."
  value       = { for program, route in module.route : program => route.dead_letter_queue_url }
}

output "key_arns" {
  description = "KMS keys by class of data; who reads the lake needs kms:Decrypt on `lake`."
  value       = local.key_arns
}

# For reviewers and tests: complete in the plan, before anything exists.

output "policies" {
  description = "What each role of this module may do, apart from using its keys."
  value = merge(
    { for program in local.deployed : local.function_names[program] => jsondecode(module.function[program].policy) },
    var.remediation.own_account ? { (local.own_repair_role) = jsondecode(local.own_repair_policy) } : {},
    { for role in module.firehose_role : local.firehose_name => jsondecode(role.policy) },
    { for mode, role in module.ingest_role : local.ingest_service[mode].name => jsondecode(role.policy) },
    { for schedule, role in module.schedule_role : "${var.name}-schedule-${schedule}" => jsondecode(role.policy) },
  )
}

output "environment" {
  description = "Environment variables of each program."
  value       = { for program in local.deployed : program => { for name, value in local.environment[program] : name => value if value != null && value != "" } }
}

output "star_resources" {
  description = "Statements with the resource *, and why."
  value       = local.star_resources
}
