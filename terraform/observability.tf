# Alarms on what the programs and the services around them publish, one alarm that pages, and a dashboard. Each alarm names
# its runbook in README.md.
locals {
  alarms_of_programs = merge(
    {
      books-unbalanced = { metric = "BooksUnbalanced", text = "the books of a batch do not balance: a fault of the detector" }
      rule-errors      = { metric = "RuleErrors", text = "a rule fails on events; the other rules still run" }
      config-rejected  = { metric = "ConfigRejected", text = "new rules or suppressions were refused; the last good ones stay in force" }
      unreadable       = { metric = "DeadLetters", text = "records could not be read and were stored" }
      look-ups         = { metric = "LookUpsFailed", threshold = 10, text = "policies could not be looked up; their events wait for replay" }
      bus-refusals     = { metric = "EventBridgePublishFailure", threshold = 20, text = "the bus refuses entries; they are sent again or go straight to SNS and SQS" }
      undeliverable    = { metric = "NotificationDeadLetters", text = "a handler stored events that it could not read or deliver" }
    },
    { for name, alarm in {
      failed-repairs = { metric = "RemediationFailure", text = "a repair failed" }
      unread-repairs = { metric = "RemediationDeadLetters", text = "the remediator stored messages that it could not read" }
      breaker-open   = { metric = "RemediationBreakerOpened", text = "the circuit breaker opened: nothing is repaired until a person closes it" }
    } : name => alarm if var.remediation.deployed },
    { for name, alarm in {
      compaction-left-out = { metric = "CompactionLeftOut", text = "files of the lake cannot be merged" }
      # A run a day: three in a row were stopped by their deadline.
      compaction-unfinished = { metric = "CompactionUnfinished", period = 86400, periods = 3, text = "compaction does not get through the lake" }
    } : name => alarm if var.compaction.enabled },
    { for name, alarm in {
      # The canary's own records are taken off: they arrive when nothing else does.
      quiet = {
        metric     = "RecordsIn"
        minus      = local.runs_canary ? "Canaries" : null
        periods    = var.alarms.quiet_minutes / 5
        comparison = "LessThanThreshold"
        threshold  = 1
        missing    = "breaching"
        text       = "no record has arrived for ${var.alarms.quiet_minutes} minutes"
      }
    } : name => alarm if var.alarms.quiet_minutes > 0 },
    { for name, alarm in {
      canary = {
        metric     = "ViolationCount"
        dimensions = { Severity = local.canary_severity, RuleName = local.canary_rule }
        period     = 60 * var.canary.minutes
        periods    = 2
        comparison = "LessThanThreshold"
        threshold  = 1
        missing    = "breaching"
        text       = "the canary did not come back: between stream and bus something is broken"
      }
    } : name => alarm if local.runs_canary },
  )

  of_detector = { FunctionName = local.function_names.detector }
  of_mapping  = { EventSourceMappingUUID = aws_lambda_event_source_mapping.detector.uuid }
  of_firehose = { DeliveryStreamName = local.firehose_name }

  alarms_of_services = merge(
    {
      lag             = { namespace = "AWS/Lambda", metric = "IteratorAge", dimensions = local.of_detector, statistic = "Maximum", threshold = var.alarms.lag_minutes * 60000, periods = 3, text = "the detector is more than ${var.alarms.lag_minutes} minutes behind the stream" }
      dropped-batches = { namespace = "AWS/Lambda", metric = "DroppedEventCount", dimensions = local.of_mapping, text = "records were given up without being stored" }
      failed-batches  = { namespace = "AWS/Lambda", metric = "OnFailureDestinationDeliveredEventCount", dimensions = local.of_mapping, text = "records were given up and stored in the failures bucket" }
    },
    { for name, alarm in {
      write-throttles = { namespace = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", dimensions = { StreamName = var.name }, periods = 3, text = "the stream is too small for what is written to it" }
    } : name => alarm if local.owns_stream },
    { for name, alarm in {
      audit-log-late    = { namespace = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", dimensions = local.of_firehose, statistic = "Maximum", threshold = var.lake.firehose_buffer_sec * 3, periods = 2, text = "Firehose is late with the audit log" }
      audit-log-refused = { namespace = "AWS/Firehose", metric = "FailedConversion.Records", dimensions = local.of_firehose, text = "Firehose could not convert records; they are below audit-log-errors/" }
    } : name => alarm if local.uses_firehose },
    { for kind, queue in local.dead_letter_queues : "${kind}-dead-letters" => {
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = "${var.name}-${kind}-dlq" }
      statistic  = "Maximum"
      text       = queue.text
    } },
    { for topic in ["alerts", "priority"] : "${topic}-undelivered" => {
      namespace  = "AWS/SNS"
      metric     = "NumberOfNotificationsFailed"
      dimensions = { TopicName = local.topics[topic] }
      text       = "SNS could not deliver to a subscriber of ${topic}"
    } },
  )
}

module "alarms" {
  source = "./modules/alarms"

  prefix  = var.name
  alarms  = merge({ for name, alarm in local.alarms_of_programs : name => merge({ namespace = var.metrics_namespace }, alarm) }, local.alarms_of_services)
  actions = local.alarm_actions
  tags    = local.tags
}

# The one to page on: changes of privilege are not being judged, or nobody can be told.
resource "aws_cloudwatch_composite_alarm" "blind" {
  alarm_name        = "${var.name}-blind"
  alarm_description = "${var.name}: changes of privilege may go unseen. Look which of its alarms is on. Runbook: blind."
  alarm_actions     = local.alarm_actions
  ok_actions        = local.alarm_actions
  tags              = local.tags

  alarm_rule = join(" OR ", [for name in concat(
    [for name in ["lag", "quiet", "canary", "dropped-batches", "books-unbalanced"] : "${var.name}-${name}" if contains(concat(keys(local.alarms_of_programs), keys(local.alarms_of_services)), name)],
    ["${local.function_names.detector}-errors", "${local.function_names.sns_publisher}-bus-losses"],
  ) : "ALARM(\"${name}\")"])

  depends_on = [module.alarms, module.function, module.route]
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
    { title = "Canary, compaction", metrics = concat([[var.metrics_namespace, "Canaries"], [var.metrics_namespace, "ViolationCount", "Severity", local.canary_severity, "RuleName", local.canary_rule]], [for name in ["CompactionFilesMerged", "CompactionFilesRemoved", "CompactionLeftOut", "CompactionUnfinished"] : [var.metrics_namespace, name]]) },
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
