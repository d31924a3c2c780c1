# The bus, its archive, and one route for each program behind it.
resource "aws_cloudwatch_event_bus" "this" {
  name               = local.bus_name
  description        = "Violations and repairs."
  kms_key_identifier = local.key_arns.data
  tags               = local.tags

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters["bus"].arn
  }

  depends_on = [aws_sqs_queue_policy.dead_letters]
}

# Only this account puts events on the bus; its roles need no bus policy for that.

resource "aws_cloudwatch_event_archive" "this" {
  name               = var.name
  description        = "Every event of the bus, to be replayed after a fault of a handler."
  event_source_arn   = aws_cloudwatch_event_bus.this.arn
  retention_days     = var.routes.archive_days
  kms_key_identifier = local.key_arns.data
}

locals {
  violations = { source = ["iam.policy.monitor"], "detail-type" = ["IAM Policy Violation"] }
  told       = { source = ["iam.policy.monitor", "iam.policy.remediator"] }

  # What people hear of: all but the canary. Not every event has a rule.
  told_to_people = merge(local.told, { "$or" = [
    { detail = { violation = { rule_name = [{ exists = false }] } } },
    { detail = { violation = { rule_name = [{ "anything-but" = [local.canary_rule] }] } } },
  ] })

  routes = {
    sns_publisher     = { pattern = local.told_to_people, batch_size = 10, window = 0, concurrency = 5 }
    slack_handler     = { pattern = local.told_to_people, batch_size = 10, window = 1, concurrency = 2 }
    metrics_publisher = { pattern = local.told, batch_size = 100, window = 10, concurrency = 2 }
    audit_logger      = { pattern = { source = [{ prefix = "" }] }, batch_size = 100, window = 10, concurrency = 2 }
    remediator        = { pattern = merge(local.violations, { detail = { violation = { action = ["remediate"], suppressed = [false] } } }), batch_size = 1, window = 0, concurrency = var.remediation.max_concurrency }
  }

  slack_tick_arn = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${var.name}-slack-tick"
}

module "route" {
  source   = "./modules/route"
  for_each = local.consumers

  name                     = local.function_names[each.key]
  bus_name                 = aws_cloudwatch_event_bus.this.name
  rule_arn                 = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.bus_name}/${local.function_names[each.key]}"
  further_rule_arns        = each.key == "slack_handler" ? [local.slack_tick_arn] : []
  queue_arn                = local.queue_arns[each.key]
  event_pattern            = local.routes[each.key].pattern
  function_arn             = module.function[each.key].arn
  function_timeout_seconds = local.functions[each.key].timeout_seconds
  batch_size               = local.routes[each.key].batch_size
  batching_window_seconds  = local.routes[each.key].window
  max_concurrency          = local.routes[each.key].concurrency
  max_receive_count        = var.routes.max_receive_count
  event_age_seconds        = var.routes.event_age_seconds
  event_retry_attempts     = var.routes.event_retry_attempts
  kms_key_arn              = local.key_arns.data
  queue_age_minutes        = var.alarms.queue_age_minutes
  alarm_actions            = local.alarm_actions
  tags                     = local.tags
}

# ---------------------------------------------------------------------------------------------------------------------
# Every minute slack_handler closes the windows that have ended and sends their digests.
# ---------------------------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_event_rule" "slack_tick" {
  count = var.notifications.slack.enabled ? 1 : 0

  name                = "${var.name}-slack-tick"
  description         = "slack_handler closes the windows that have ended."
  schedule_expression = "rate(1 minute)"
  tags                = local.tags
}

# A tick that is late is no use: the next one does the same work.
resource "aws_cloudwatch_event_target" "slack_tick" {
  count = length(aws_cloudwatch_event_rule.slack_tick)

  rule      = aws_cloudwatch_event_rule.slack_tick[0].name
  target_id = "function"
  arn       = module.function["slack_handler"].arn

  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 1
  }

  dead_letter_config {
    arn = "${local.queue_arns.slack_handler}-dlq"
  }

  depends_on = [module.route]
}

resource "aws_lambda_permission" "slack_tick" {
  count = length(aws_cloudwatch_event_rule.slack_tick)

  statement_id  = "tick"
  action        = "lambda:InvokeFunction"
  function_name = module.function["slack_handler"].arn
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.slack_tick[0].arn
}
