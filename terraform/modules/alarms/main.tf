# Alarms on metrics. Each description ends with the name of its runbook in README.md.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
}

variable "prefix" {
  description = "Begins the name of each alarm."
  type        = string
}

variable "alarms" {
  description = "Alarms by name: when the metric is over the threshold (or under it) in so many of the last periods. `minus` names a metric that is taken off first."
  type = map(object({
    namespace  = string
    metric     = string
    minus      = optional(string)
    dimensions = optional(map(string), {})
    statistic  = optional(string, "Sum")
    comparison = optional(string, "GreaterThanThreshold")
    threshold  = optional(number, 0)
    period     = optional(number, 300)
    periods    = optional(number, 1)
    datapoints = optional(number)
    # No data is good news, but for alarms that look for silence.
    missing = optional(string, "notBreaching")
    runbook = optional(string)
    text    = string
  }))
}

variable "actions" {
  description = "Topics that hear of alarms and of their end."
  type        = list(string)
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.alarms

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "${var.prefix}: ${each.value.text}. Runbook: ${coalesce(each.value.runbook, each.key)}."
  namespace           = each.value.minus == null ? each.value.namespace : null
  metric_name         = each.value.minus == null ? each.value.metric : null
  dimensions          = each.value.minus == null ? each.value.dimensions : null
  statistic           = each.value.minus == null ? each.value.statistic : null
  period              = each.value.minus == null ? each.value.period : null
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.datapoints
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = var.actions
  ok_actions          = var.actions
  tags                = var.tags

  dynamic "metric_query" {
    for_each = each.value.minus == null ? {} : { m1 = each.value.metric, m2 = each.value.minus }

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = each.value.statistic
        period      = each.value.period
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.minus[*]

    content {
      id          = "rest"
      label       = "${each.value.metric} without ${each.value.minus}"
      expression  = "FILL(m1, 0) - FILL(m2, 0)"
      return_data = true
    }
  }
}

output "names" {
  description = "Names of the alarms, known once they exist."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_name }
}

output "arns" {
  description = "ARNs of the alarms."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}
