# CloudTrail to the stream, in one of two ways; the third, an existing stream, needs nothing here.
locals {
  by_logs   = var.ingestion.mode == "logs_subscription"
  by_events = var.ingestion.mode == "eventbridge"

  ingest_bus_name = "${var.name}-ingest"
  ingest_bus_arn  = "arn:${local.partition}:events:${local.region}:${local.account_id}:event-bus/${local.ingest_bus_name}"
  ingest_rule     = "${var.name}-ingest"

  # Everything that changes something, and the two STS calls that only look like reads. Without the state
  # ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS EventBridge would keep the latter to itself.
  ingest_pattern = {
    "detail-type" = ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail", "AWS Service Event via CloudTrail"]
    detail = {
      "$or" = [
        { readOnly = [false] },
        { readOnly = [{ exists = false }] },
        { eventName = ["AssumeRoot", "GetFederationToken"] },
      ]
    }
  }
  ingest_state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

  # Buses whose events go to the stream: the account's own, and the one that member accounts forward to.
  ingest_buses = local.by_events ? merge({ default = "default" }, var.organization.enabled ? { members = local.ingest_bus_name } : {}) : {}

  # What hands records to the stream: the service, and on whose behalf it does.
  ingest_service = {
    logs_subscription = {
      name       = "${var.name}-logs-to-stream"
      service    = "logs.amazonaws.com"
      conditions = { StringLike = { "aws:SourceArn" = [for id in distinct(concat([local.account_id], var.ingestion.log_source_account_ids)) : "arn:${local.partition}:logs:${local.region}:${id}:*"] } }
    }
    eventbridge = {
      name       = "${var.name}-events-to-stream"
      service    = "events.amazonaws.com"
      conditions = { StringEquals = { "aws:SourceAccount" = [local.account_id] } }
    }
  }

  put_records = { sid = "PutRecords", actions = ["kinesis:PutRecord", "kinesis:PutRecords"], resources = [local.stream_arn] }
}

module "ingest_role" {
  source   = "./modules/role"
  for_each = { for mode, service in local.ingest_service : mode => service if mode == var.ingestion.mode }

  name                     = each.value.name
  description              = "Puts CloudTrail records into the stream."
  service                  = each.value.service
  trust_conditions         = each.value.conditions
  statements               = [local.put_records]
  key_arns                 = [local.key_arns.data]
  key_actions              = ["kms:GenerateDataKey"]
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags
}

# ---------------------------------------------------------------------------------------------------------------------
# CloudWatch Logs subscription
# ---------------------------------------------------------------------------------------------------------------------

# Random distribution: by log stream, a few shards would carry everything. Order does not matter to the detector.
resource "aws_cloudwatch_log_subscription_filter" "trail" {
  count = local.by_logs && var.ingestion.log_group_name != null ? 1 : 0

  name            = var.name
  log_group_name  = var.ingestion.log_group_name
  filter_pattern  = var.ingestion.log_filter_pattern
  destination_arn = aws_kinesis_stream.this[0].arn
  role_arn        = module.ingest_role["logs_subscription"].arn
  distribution    = "Random"
}

# For log groups of other accounts: they subscribe to this destination (output log_destination_arn).
resource "aws_cloudwatch_log_destination" "members" {
  count = local.by_logs && length(var.ingestion.log_source_account_ids) > 0 ? 1 : 0

  name       = var.name
  role_arn   = module.ingest_role["logs_subscription"].arn
  target_arn = aws_kinesis_stream.this[0].arn
  tags       = local.tags
}

resource "aws_cloudwatch_log_destination_policy" "members" {
  count = length(aws_cloudwatch_log_destination.members)

  destination_name = aws_cloudwatch_log_destination.members[0].name

  access_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Subscribe"
      Effect    = "Allow"
      Principal = { AWS = var.ingestion.log_source_account_ids }
      Action    = "logs:PutSubscriptionFilter"
      Resource  = "arn:${local.partition}:logs:${local.region}:${local.account_id}:destination:${var.name}"
    }]
  })
}

# ---------------------------------------------------------------------------------------------------------------------
# EventBridge
# ---------------------------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_event_bus" "members" {
  count = local.by_events && var.organization.enabled ? 1 : 0

  name        = local.ingest_bus_name
  description = "CloudTrail events that member accounts forward."
  tags        = local.tags
}

resource "aws_cloudwatch_event_bus_policy" "members" {
  count = length(aws_cloudwatch_event_bus.members)

  event_bus_name = aws_cloudwatch_event_bus.members[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "MembersForward"
      Effect    = "Allow"
      Principal = "*"
      Action    = "events:PutEvents"
      Resource  = local.ingest_bus_arn
      Condition = {
        StringEquals = { "aws:PrincipalOrgID" = var.organization.id }
        ArnLike      = { "aws:PrincipalArn" = "arn:${local.partition}:iam::*:role/${var.name}-forward" }
      }
    }]
  })
}

resource "aws_cloudwatch_event_rule" "ingest" {
  for_each = local.ingest_buses

  name           = local.ingest_rule
  description    = "CloudTrail events to ${var.name}."
  event_bus_name = each.key == "members" ? aws_cloudwatch_event_bus.members[0].name : each.value
  event_pattern  = jsonencode(local.ingest_pattern)
  state          = local.ingest_state
  tags           = local.tags
}

resource "aws_cloudwatch_event_target" "ingest" {
  for_each = local.ingest_buses

  rule           = aws_cloudwatch_event_rule.ingest[each.key].name
  event_bus_name = aws_cloudwatch_event_rule.ingest[each.key].event_bus_name
  target_id      = "stream"
  arn            = aws_kinesis_stream.this[0].arn
  role_arn       = module.ingest_role["eventbridge"].arn

  # By account there would be a hot shard for the busiest one.
  kinesis_target {
    partition_key_path = "$.detail.eventID"
  }

  retry_policy {
    maximum_event_age_in_seconds = var.routes.event_age_seconds
    maximum_retry_attempts       = var.routes.event_retry_attempts
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters["ingest"].arn
  }

  depends_on = [aws_sqs_queue_policy.dead_letters]
}
