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

variable "alarm_periods" {
  description = "Periods of five minutes that its alarms look at, two of which must be bad. 1 for a function that runs seldom: one failure is all there is to see."
  type        = number
  default     = 3
}

variable "alarm_actions" {
  description = "Topics of its alarms."
  type        = list(string)
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

module "role" {
  source = "../role"

  name                     = var.name
  description              = var.description
  service                  = "lambda.amazonaws.com"
  statements               = concat([{ sid = "OwnLog", effect = "Allow", actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["${var.log_group_arn}:*"], conditions = null }], var.statements)
  key_arns                 = values(var.key_arns)
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
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
  role                           = module.role.arn
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
}

module "alarms" {
  source = "../alarms"

  prefix  = var.name
  actions = var.alarm_actions
  tags    = var.tags

  alarms = { for name, alarm in {
    errors    = { metric = "Errors", statistic = "Sum", threshold = 0, text = "invocations fail" }
    throttles = { metric = "Throttles", statistic = "Sum", threshold = 0, text = "invocations are throttled: raise the account's concurrency or this function's" }
    duration  = { metric = "Duration", statistic = "Maximum", threshold = var.timeout_seconds * 900, text = "invocations take more than 90 % of their time-out" }
    } : name => merge(alarm, {
      namespace  = "AWS/Lambda"
      dimensions = { FunctionName = var.name }
      periods    = var.alarm_periods
      datapoints = min(2, var.alarm_periods)
      runbook    = "function-${name}"
  }) }
}

output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "policy" {
  description = "What its role may do, keys aside."
  value       = module.role.policy
}

output "alarm_names" {
  description = "Names of its alarms, by kind."
  value       = module.alarms.names
}
