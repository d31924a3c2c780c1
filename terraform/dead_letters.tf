# What AWS could not hand on waits here for 14 days: of the bus, of the way into the stream, of the schedules. The queues of
# routes have theirs in modules/route.
locals {
  dead_letter_queues = merge(
    {
      bus = {
        # A key of SQS's own: the bus's may be what failed.
        key_arn = null
        service = "events.amazonaws.com"
        sources = [local.bus_arn]
        text    = "the bus could not decrypt events"
      }
    },
    local.by_events ? { ingest = {
      key_arn = local.key_arns.data
      service = "events.amazonaws.com"
      sources = [
        "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.ingest_rule}",
        "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.ingest_bus_name}/${local.ingest_rule}",
      ]
      text = "CloudTrail events could not be put into the stream"
    } } : {},
    length(local.schedules) > 0 ? { schedules = {
      key_arn = local.key_arns.data
      # Schedules send with their own roles.
      service = null
      sources = []
      text    = "a schedule could not reach its target"
    } } : {},
  )

  dead_letter_arns = { for kind in ["bus", "ingest", "schedules"] : kind => "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${var.name}-${kind}-dlq" }
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.dead_letter_queues

  name                      = "${var.name}-${each.key}-dlq"
  message_retention_seconds = 1209600
  kms_master_key_id         = each.value.key_arn
  sqs_managed_sse_enabled   = each.value.key_arn == null ? true : null
  max_message_size          = 1048576
  tags                      = local.tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  for_each = local.dead_letter_queues

  queue_url = aws_sqs_queue.dead_letters[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for service in each.value.service[*] : {
        Sid       = "FromTheService"
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = "sqs:SendMessage"
        Resource  = local.dead_letter_arns[each.key]
        Condition = { ArnEquals = { "aws:SourceArn" = each.value.sources } }
      }],
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.dead_letter_arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
    )
  })
}
