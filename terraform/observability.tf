# Alarms on what the programs and the services around them publish, one alarm that pages, and a dashboard. Each alarm names
# its runbook in README.md.
locals {
  own_alarms = merge(
    { for name, alarm in {
      books-unbalanced = { metric = "BooksUnbalanced", threshold = 0, text = "the books of a batch do not balance: a fault of the detector" }
      rule-errors      = { metric = "RuleErrors", threshold = 0, text = "a rule fails on events; the other rules still run" }
      config-rejected  = { metric = "ConfigRejected", threshold = 0, text = "new rules or suppressions were refused; the last good ones stay in force" }
      unreadable       = { metric = "DeadLetters", threshold = 0, text = "records could not be read and were stored" }
      look-ups         = { metric = "LookUpsFailed", threshold = 10, text = "policies could not be looked up; their events wait for replay" }
      bus-refusals     = { metric = "EventBridgePublishFailure", threshold = 20, text = "the bus refuses entries; they are sent again or go straight to SNS and SQS" }
      undeliverable    = { metric = "NotificationDeadLetters", threshold = 0, text = "a handler stored events that it could not read or deliver" }
      failed-repairs   = { metric = "RemediationFailure", threshold = 0, text = "a repair failed", only_if = var.remediation.deployed }
      unread-repairs   = { metric = "RemediationDeadLetters", threshold = 0, text = "the remediator stored messages that it could not read", only_if = var.remediation.deployed }
      breaker-open     = { metric = "RemediationBreakerOpened", threshold = 0, text = "the circuit breaker opened: nothing is repaired until a person closes it", only_if = var.remediation.deployed }
      } : name => {
      namespace  = var.metrics_namespace
      metric     = alarm.metric
      dimensions = {}
      statistic  = "Sum"
      period     = 300
      periods    = 1
      comparison = "GreaterThanThreshold"
      threshold  = alarm.threshold
      missing    = "notBreaching"
      text       = alarm.text
    } if try(alarm.only_if, true) },

    { for name in ["quiet"] : name => {
      namespace  = var.metrics_namespace
      metric     = "RecordsIn"
      dimensions = {}
      statistic  = "Sum"
      period     = 300
      periods    = var.alarms.quiet_minutes / 5
      comparison = "LessThanThreshold"
      threshold  = 1
      # No data is exactly what it looks for.
      missing = "breaching"
      text    = "no record has arrived for ${var.alarms.quiet_minutes} minutes"
    } if var.alarms.quiet_minutes > 0 },

    { for name, alarm in {
      lag = {
        namespace  = "AWS/Lambda"
        metric     = "IteratorAge"
        dimensions = { FunctionName = local.function_names.detector }
        statistic  = "Maximum"
        threshold  = var.alarms.lag_minutes * 60000
        periods    = 3
        text       = "the detector is more than ${var.alarms.lag_minutes} minutes behind the stream"
      }
      dropped-batches = {
        namespace  = "AWS/Lambda"
        metric     = "DroppedEventCount"
        dimensions = { EventSourceMappingUUID = aws_lambda_event_source_mapping.detector.uuid }
        statistic  = "Sum"
        threshold  = 0
        periods    = 1
        text       = "records were given up without being stored"
      }
      failed-batches = {
        namespace  = "AWS/Lambda"
        metric     = "OnFailureDestinationDeliveredEventCount"
        dimensions = { EventSourceMappingUUID = aws_lambda_event_source_mapping.detector.uuid }
        statistic  = "Sum"
        threshold  = 0
        periods    = 1
        text       = "records were given up and stored in the failures bucket"
      }
      bus-dead-letters = {
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = "${var.name}-bus-dlq" }
        statistic  = "Maximum"
        threshold  = 0
        periods    = 1
        text       = "the bus could not decrypt events"
      }
      } : name => merge(alarm, { period = 300, comparison = "GreaterThanThreshold", missing = "notBreaching" })
    },

    { for name, alarm in {
      write-throttles = {
        namespace  = "AWS/Kinesis"
        metric     = "WriteProvisionedThroughputExceeded"
        dimensions = { StreamName = var.name }
        statistic  = "Sum"
        threshold  = 0
        periods    = 3
        text       = "the stream is too small for what is written to it"
      }
      } : name => merge(alarm, { period = 300, comparison = "GreaterThanThreshold", missing = "notBreaching" }) if local.owns_stream
    },

    { for name, alarm in {
      ingest-dead-letters = {
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = "${local.ingest_rule}-dlq" }
        statistic  = "Maximum"
        threshold  = 0
        periods    = 1
        text       = "CloudTrail events could not be put into the stream"
      }
      } : name => merge(alarm, { period = 300, comparison = "GreaterThanThreshold", missing = "notBreaching" }) if local.by_events
    },

    { for name, alarm in {
      audit-log-late = {
        namespace  = "AWS/Firehose"
        metric     = "DeliveryToS3.DataFreshness"
        dimensions = { DeliveryStreamName = local.firehose_name }
        statistic  = "Maximum"
        threshold  = var.lake.firehose_buffer_sec * 3
        periods    = 2
        text       = "Firehose is late with the audit log"
      }
      audit-log-refused = {
        namespace  = "AWS/Firehose"
        metric     = "FailedConversion.Records"
        dimensions = { DeliveryStreamName = local.firehose_name }
        statistic  = "Sum"
        threshold  = 0
        periods    = 1
        text       = "Firehose could not convert records; they are below audit-log-errors/"
      }
      } : name => merge(alarm, { period = 300, comparison = "GreaterThanThreshold", missing = "notBreaching" }) if local.uses_firehose
    },

    { for topic in ["alerts", "priority"] : "${topic}-undelivered" => {
      namespace  = "AWS/SNS"
      metric     = "NumberOfNotificationsFailed"
      dimensions = { TopicName = local.topics[topic] }
      statistic  = "Sum"
      period     = 300
      periods    = 1
      comparison = "GreaterThanThreshold"
      threshold  = 0
      missing    = "notBreaching"
      text       = "SNS could not deliver to a subscriber of ${topic}"
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "own" {
  for_each = local.own_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${var.name}: ${each.value.text}. Runbook: ${each.key}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = local.tags
}

# The one to page on: changes of privilege are not being judged, or nobody can be told.
resource "aws_cloudwatch_composite_alarm" "blind" {
  alarm_name        = "${var.name}-blind"
  alarm_description = "${var.name}: changes of privilege may go unseen. Look which of its alarms is on. Runbook: blind."
  alarm_actions     = local.alarm_actions
  ok_actions        = local.alarm_actions
  tags              = local.tags

  alarm_rule = join(" OR ", concat(
    [for name in ["lag", "quiet", "dropped-batches", "books-unbalanced"] : "ALARM(\"${aws_cloudwatch_metric_alarm.own[name].alarm_name}\")" if contains(keys(local.own_alarms), name)],
    ["ALARM(\"${local.function_names.detector}-errors\")", "ALARM(\"${local.function_names.sns_publisher}-bus-losses\")"],
  ))

  depends_on = [module.function, module.route]
}

locals {
  widgets = [
    { title = "Events judged", metrics = [[var.metrics_namespace, "RecordsIn"], [var.metrics_namespace, "EventsIn"], [var.metrics_namespace, "EventProcessed"]] },
    { title = "Violations", metrics = [for severity in ["CRITICAL", "HIGH", "MEDIUM", "LOW"] : [var.metrics_namespace, "ViolationCount", "Severity", severity]] },
    { title = "Books", metrics = [for name in ["DeadLetters", "RecordsHandedBack", "Duplicates", "BooksUnbalanced", "RuleErrors", "RulesUndecided", "LookUpsFailed", "ConfigRejected"] : [var.metrics_namespace, name]] },
    { title = "Lag, milliseconds", statistic = "Maximum", metrics = [["AWS/Lambda", "IteratorAge", "FunctionName", local.function_names.detector], [var.metrics_namespace, "BatchDuration"]] },
    { title = "Bus", metrics = [[var.metrics_namespace, "EventBridgePublishSuccess"], [var.metrics_namespace, "EventBridgePublishFailure"], [var.metrics_namespace, "DirectPublishSuccess"]] },
    { title = "Told", metrics = [for name in ["SNSAlertsPublished", "SlackNotificationsSent", "AuditLogsWritten", "MetricsPublished", "NotificationDeadLetters"] : [var.metrics_namespace, name]] },
    { title = "Errors of functions", metrics = [for program in sort(tolist(local.deployed)) : ["AWS/Lambda", "Errors", "FunctionName", local.function_names[program]]] },
    { title = "Dead-letter queues", statistic = "Maximum", metrics = [for program in sort(tolist(local.consumers)) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${local.function_names[program]}-dlq"]] },
    { title = "Repairs", metrics = [for name in ["RemediationSuccess", "RemediationFailure", "RemediationSkipped", "DryRunExecutions"] : [var.metrics_namespace, name]] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for place, widget in local.widgets : {
      type   = "metric"
      x      = (place % 3) * 8
      y      = floor(place / 3) * 6
      width  = 8
      height = 6
      properties = {
        title   = widget.title
        region  = local.region
        stat    = try(widget.statistic, "Sum")
        period  = 300
        view    = "timeSeries"
        metrics = widget.metrics
      }
    }]
  })
}
