# One program: its function, its role with exactly the statements given, its log group, its alarms.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
}

variable "name" {
  description = "Name of the function and its role."
  type        = string
}

variable "description" {
  description = "What it does, in one sentence."
  type        = string
}

variable "package" {
  description = "Path of its zip."
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64."
  type        = string
}

variable "memory_mb" {
  description = "Memory, MB."
  type        = number
}

variable "timeout_seconds" {
  description = "Longest invocation, seconds."
  type        = number
}

variable "reserved_concurrency" {
  description = "Reserved concurrency; -1 for none."
  type        = number
  default     = -1
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "statements" {
  description = "What the role may do, and what it must never do."
  type = list(object({
    sid        = string
    effect     = optional(string, "Allow")
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(list(string))))
  }))
}

variable "key_arns" {
  description = "Keys that the role may use, by class of data."
  type        = map(string)
}

variable "environment_key_arn" {
  description = "Key of the environment variables."
  type        = string
}

variable "log_group_arn" {
  description = "ARN of its log group, made from the name."
  type        = string
}

variable "log_key_arn" {
  description = "Key of its log group."
  type        = string
}

variable "log_retention_days" {
  description = "How long its log is kept."
  type        = number
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of its role."
  type        = string
  default     = null
}

variable "alarm_actions" {
  description = "Topics of its alarms."
  type        = list(string)
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

locals {
  own_log = { sid = "OwnLog", effect = "Allow", actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["${var.log_group_arn}:*"], conditions = null }

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in concat([local.own_log], var.statements) : {
      for key, value in {
        Sid       = statement.sid
        Effect    = statement.effect
        Action    = statement.actions
        Resource  = statement.resources
        Condition = statement.conditions
      } : key => value if value != null
    }]
  })
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = var.description
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "work"
  role   = aws_iam_role.this.id
  policy = local.policy
}

# Apart from the rest because ids of keys are only known once they exist.
resource "aws_iam_role_policy" "keys" {
  name = "keys"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Keys"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = distinct(values(var.key_arns))
    }]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  filename                       = var.package
  source_code_hash               = fileexists(var.package) ? filebase64sha256(var.package) : null
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.environment_key_arn
  tags                           = var.tags

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
    # The programs decide what they write; Lambda would drop their debug lines otherwise.
    application_log_level = "TRACE"
    system_log_level      = "WARN"
  }

  tracing_config {
    mode = "PassThrough"
  }

  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.keys]
}

locals {
  alarms = {
    errors = {
      metric    = "Errors"
      statistic = "Sum"
      threshold = 0
      text      = "invocations fail"
    }
    throttles = {
      metric    = "Throttles"
      statistic = "Sum"
      threshold = 0
      text      = "invocations are throttled: raise the account's concurrency or this function's"
    }
    duration = {
      metric    = "Duration"
      statistic = "Maximum"
      threshold = var.timeout_seconds * 900
      text      = "invocations take more than 90 % of their time-out"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${var.name}: ${each.value.text}. Runbook: function-${each.key}."
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = var.name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "ARN of its role."
  value       = aws_iam_role.this.arn
}

output "policy" {
  description = "What its role may do, keys aside."
  value       = local.policy
}

output "alarm_arns" {
  description = "Its alarms, by kind."
  value       = { for kind, alarm in aws_cloudwatch_metric_alarm.this : kind => alarm.arn }
}
