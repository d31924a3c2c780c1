# CloudTrail to the stream, in one of two ways; the third, an existing stream, needs nothing here.
locals {
  by_logs   = var.ingestion.mode == "logs_subscription"
  by_events = var.ingestion.mode == "eventbridge"

  ingest_bus_name = "${var.name}-ingest"
  ingest_bus_arn  = "arn:${local.partition}:events:${local.region}:${local.account_id}:event-bus/${local.ingest_bus_name}"
  ingest_rule     = "${var.name}-ingest"
  ingest_dlq_arn  = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.ingest_rule}-dlq"

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

  put_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "PutRecords"
      Effect   = "Allow"
      Action   = ["kinesis:PutRecord", "kinesis:PutRecords"]
      Resource = [local.stream_arn]
    }]
  })
  put_keys_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Keys"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey"]
      Resource = [local.key_arns.data]
    }]
  })
}

# ---------------------------------------------------------------------------------------------------------------------
# CloudWatch Logs subscription
# ---------------------------------------------------------------------------------------------------------------------

resource "aws_iam_role" "logs_to_stream" {
  count = local.by_logs ? 1 : 0

  name                 = "${var.name}-logs-to-stream"
  description          = "CloudWatch Logs puts CloudTrail records into the stream."
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringLike = { "aws:SourceArn" = [for id in distinct(concat([local.account_id], var.ingestion.log_source_account_ids)) : "arn:${local.partition}:logs:${local.region}:${id}:*"] } }
    }]
  })
}

resource "aws_iam_role_policy" "logs_to_stream" {
  count = local.by_logs ? 1 : 0

  name   = "put"
  role   = aws_iam_role.logs_to_stream[0].id
  policy = local.put_policy
}

resource "aws_iam_role_policy" "logs_to_stream_keys" {
  count = local.by_logs ? 1 : 0

  name   = "keys"
  role   = aws_iam_role.logs_to_stream[0].id
  policy = local.put_keys_policy
}

# Random distribution: by log stream, a few shards would carry everything. Order does not matter to the detector.
resource "aws_cloudwatch_log_subscription_filter" "trail" {
  count = local.by_logs && var.ingestion.log_group_name != null ? 1 : 0

  name            = var.name
  log_group_name  = var.ingestion.log_group_name
  filter_pattern  = var.ingestion.log_filter_pattern
  destination_arn = aws_kinesis_stream.this[0].arn
  role_arn        = aws_iam_role.logs_to_stream[0].arn
  distribution    = "Random"

  depends_on = [aws_iam_role_policy.logs_to_stream, aws_iam_role_policy.logs_to_stream_keys]
}

# For log groups of other accounts: they subscribe to this destination (output log_destination_arn).
resource "aws_cloudwatch_log_destination" "members" {
  count = local.by_logs && length(var.ingestion.log_source_account_ids) > 0 ? 1 : 0

  name       = var.name
  role_arn   = aws_iam_role.logs_to_stream[0].arn
  target_arn = aws_kinesis_stream.this[0].arn
  tags       = local.tags

  depends_on = [aws_iam_role_policy.logs_to_stream, aws_iam_role_policy.logs_to_stream_keys]
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

resource "aws_iam_role" "events_to_stream" {
  count = local.by_events ? 1 : 0

  name                 = "${var.name}-events-to-stream"
  description          = "EventBridge puts CloudTrail records into the stream."
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "events_to_stream" {
  count = local.by_events ? 1 : 0

  name   = "put"
  role   = aws_iam_role.events_to_stream[0].id
  policy = local.put_policy
}

resource "aws_iam_role_policy" "events_to_stream_keys" {
  count = local.by_events ? 1 : 0

  name   = "keys"
  role   = aws_iam_role.events_to_stream[0].id
  policy = local.put_keys_policy
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
  role_arn       = aws_iam_role.events_to_stream[0].arn

  # By account there would be a hot shard for the busiest one.
  kinesis_target {
    partition_key_path = "$.detail.eventID"
  }

  retry_policy {
    maximum_event_age_in_seconds = var.routes.event_age_seconds
    maximum_retry_attempts       = var.routes.event_retry_attempts
  }

  dead_letter_config {
    arn = aws_sqs_queue.ingest_dead_letters[0].arn
  }

  depends_on = [aws_iam_role_policy.events_to_stream, aws_iam_role_policy.events_to_stream_keys, aws_sqs_queue_policy.ingest_dead_letters]
}

resource "aws_sqs_queue" "ingest_dead_letters" {
  count = local.by_events ? 1 : 0

  name                      = "${local.ingest_rule}-dlq"
  message_retention_seconds = 1209600
  kms_master_key_id         = local.key_arns.data
  max_message_size          = 1048576
  tags                      = local.tags
}

resource "aws_sqs_queue_policy" "ingest_dead_letters" {
  count = local.by_events ? 1 : 0

  queue_url = aws_sqs_queue.ingest_dead_letters[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "FromTheRules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.ingest_dlq_arn
        Condition = { ArnEquals = { "aws:SourceArn" = [
          "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.ingest_rule}",
          "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.ingest_bus_name}/${local.ingest_rule}",
        ] } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.ingest_dlq_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
