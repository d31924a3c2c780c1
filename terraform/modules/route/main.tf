# One route of the bus: rule -> queue -> function. What cannot be handed to the queue, and what the function fails on too
# often, waits in one dead-letter queue for 14 days.
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
  description = "Name of rule and queue."
  type        = string
}

variable "bus_name" {
  description = "Bus of the rule."
  type        = string
}

variable "rule_arn" {
  description = "ARN of the rule, made from the names."
  type        = string
}

variable "further_rule_arns" {
  description = "Rules besides its own that may put events into the dead-letter queue."
  type        = list(string)
  default     = []
}

variable "queue_arn" {
  description = "ARN of the queue, made from the name; that of the dead-letter queue ends in -dlq."
  type        = string
}

variable "event_pattern" {
  description = "Which events."
  type        = any
}

variable "function_arn" {
  description = "The function."
  type        = string
}

variable "function_timeout_seconds" {
  description = "Its time-out; the queue hides a message for six times as long."
  type        = number
}

variable "batch_size" {
  description = "Messages of one invocation."
  type        = number
  default     = 10
}

variable "batching_window_seconds" {
  description = "How long Lambda gathers messages."
  type        = number
  default     = 0
}

variable "max_concurrency" {
  description = "Invocations at the same time."
  type        = number
}

variable "max_receive_count" {
  description = "Tries of a message before it becomes a dead letter."
  type        = number
}

variable "event_age_seconds" {
  description = "How long EventBridge tries to hand an event to the queue."
  type        = number
}

variable "event_retry_attempts" {
  description = "How often it tries."
  type        = number
}

variable "kms_key_arn" {
  description = "Key of both queues."
  type        = string
}

variable "queue_age_minutes" {
  description = "Alarm when a message waits longer."
  type        = number
}

variable "alarm_actions" {
  description = "Topics of the alarms."
  type        = list(string)
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

locals {
  fourteen_days = 1209600

  queue_policy = {
    for kind, arn in { queue = var.queue_arn, dead_letters = "${var.queue_arn}-dlq" } : kind => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "FromTheRule"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = { ArnEquals = { "aws:SourceArn" = concat([var.rule_arn], kind == "dead_letters" ? var.further_rule_arns : []) } }
        },
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    })
  }
}

resource "aws_sqs_queue" "dead_letters" {
  name                              = "${var.name}-dlq"
  message_retention_seconds         = local.fourteen_days
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
  max_message_size                  = 1048576
  tags                              = var.tags
}

resource "aws_sqs_queue" "this" {
  name                              = var.name
  message_retention_seconds         = local.fourteen_days
  visibility_timeout_seconds        = var.function_timeout_seconds * 6
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
  max_message_size                  = 1048576
  tags                              = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "this" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [var.queue_arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.id
  policy    = local.queue_policy.queue
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = local.queue_policy.dead_letters
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = var.name
  description    = "To ${var.name}."
  event_bus_name = var.bus_name
  event_pattern  = jsonencode(var.event_pattern)
  tags           = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = var.bus_name
  target_id      = "queue"
  arn            = aws_sqs_queue.this.arn

  retry_policy {
    maximum_event_age_in_seconds = var.event_age_seconds
    maximum_retry_attempts       = var.event_retry_attempts
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_sqs_queue_policy.this, aws_sqs_queue_policy.dead_letters]
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn                   = aws_sqs_queue.this.arn
  function_name                      = var.function_arn
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = var.max_concurrency
  }
}

module "alarms" {
  source = "../alarms"

  prefix  = var.name
  actions = var.alarm_actions
  tags    = var.tags

  alarms = {
    dead-letters = {
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = "${var.name}-dlq" }
      statistic  = "Maximum"
      text       = "messages wait in the dead-letter queue"
    }
    queue-age = {
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = var.name }
      statistic  = "Maximum"
      threshold  = var.queue_age_minutes * 60
      text       = "a message waits for more than ${var.queue_age_minutes} minutes"
    }
    bus-failures = {
      namespace  = "AWS/Events"
      metric     = "InvocationsSentToDlq"
      dimensions = { EventBusName = var.bus_name, RuleName = var.name }
      text       = "EventBridge could not hand events to the queue"
    }
    bus-losses = {
      namespace  = "AWS/Events"
      metric     = "InvocationsFailedToBeSentToDlq"
      dimensions = { EventBusName = var.bus_name, RuleName = var.name }
      text       = "EventBridge lost events: neither the queue nor its dead-letter queue took them"
    }
  }
}

output "dead_letter_queue_url" {
  description = "Address of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "alarm_names" {
  description = "Names of its alarms, by kind."
  value       = module.alarms.names
}
