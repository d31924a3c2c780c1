# Topics, who hears of them, and where the Slack webhook is kept.
locals {
  has_priority_topic = length([for subscription in var.subscriptions : subscription if subscription.topic == "priority"]) > 0
  alarm_actions      = concat([local.topic_arns.operations], var.alarms.extra_alarm_topic_arn[*])

  topic_publishers = {
    alerts     = []
    priority   = []
    operations = [{ sid = "Alarms", service = "cloudwatch.amazonaws.com" }]
  }
}

resource "aws_sns_topic" "this" {
  for_each = local.topics

  name              = each.value
  kms_master_key_id = local.key_arns.data
  tags              = local.tags
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topics

  arn = aws_sns_topic.this[each.key].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for publisher in local.topic_publishers[each.key] : {
        Sid       = publisher.sid
        Effect    = "Allow"
        Principal = { Service = publisher.service }
        Action    = "sns:Publish"
        Resource  = local.topic_arns[each.key]
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      }],
    )
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each = { for subscription in var.subscriptions : "${subscription.topic} ${subscription.protocol} ${subscription.endpoint}" => subscription }

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

# Made with a placeholder, which stays out of the state; put the real value with
#   aws ssm put-parameter --name NAME --type SecureString --overwrite --value https://hooks.slack.com/services/…
resource "aws_ssm_parameter" "slack_webhook" {
  count = var.notifications.slack.enabled && var.notifications.slack.webhook_parameter_name == null ? 1 : 0

  name             = local.slack_parameter
  description      = "Webhook of slack_handler: an address, or JSON of channels and addresses."
  type             = "SecureString"
  key_id           = local.key_arns.data
  value_wo         = "unset"
  value_wo_version = 1
  tags             = local.tags
}
