# What runs by the clock: the compactor, once a day, and the canary.
#
# The canary is a made-up CloudTrail record in the stream that the rule Canary is meant for. It must come back on the bus and be
# counted by metrics_publisher; the alarm `canary` rings when it does not. So a stream that is not read, rules that are not in
# force, a bus or a queue that lets nothing through are noticed, also when nothing else happens.
locals {
  runs_canary = coalesce(var.canary.enabled, local.owns_stream)

  # Of rules.yaml. Routes keep its violations from people, and reports leave them out.
  canary_rule     = "Canary"
  canary_severity = try(local.rules[local.canary_rule][0], "LOW")

  canary = {
    eventVersion = "1.10"
    eventTime    = "<aws.scheduler.scheduled-time>" # also tells one canary from the next: without an eventID it is made of the content
    eventSource  = "iam.amazonaws.com"
    eventName    = "CreatePolicy"
    userIdentity = {
      type        = "AssumedRole"
      principalId = "AROAEXAMPLECANARY:canary"
      arn         = "arn:${local.partition}:sts::${local.account_id}:assumed-role/${var.name}-canary/canary"
      accountId   = local.account_id
    }
    awsRegion       = local.region
    sourceIPAddress = "scheduler.amazonaws.com"
    userAgent       = "iam-policy-monitor-canary"
    requestParameters = {
      policyName     = "${var.name}-canary"
      policyDocument = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:GetCallerIdentity", Resource = "*" }] })
    }
    responseElements   = { policy = { policyName = "${var.name}-canary", arn = "arn:${local.partition}:iam::${local.account_id}:policy/${var.name}-canary" } }
    readOnly           = false
    eventType          = "AwsApiCall"
    managementEvent    = true
    recipientAccountId = local.account_id
    eventCategory      = "Management"
  }

  # jsonencode writes < and > in a way that Scheduler does not see its own words in.
  canary_record = replace(replace(jsonencode(local.canary), "\\u003c", "<"), "\\u003e", ">")

  schedules = merge(
    { for name, schedule in {
      compact = {
        expression        = var.compaction.schedule
        target            = local.compactor_arn
        input             = "{}"
        partition_key     = null
        event_age_seconds = 3600
        statement         = { sid = "Run", actions = ["lambda:InvokeFunction"], resources = [local.compactor_arn] }
      }
    } : name => schedule if var.compaction.enabled },
    { for name, schedule in {
      canary = {
        expression        = "rate(${var.canary.minutes} minutes)"
        target            = local.stream_arn
        input             = local.canary_record
        partition_key     = "canary"
        event_age_seconds = 60 * var.canary.minutes
        statement         = { sid = "PutRecord", actions = ["kinesis:PutRecord"], resources = [local.stream_arn] }
      }
    } : name => schedule if local.runs_canary },
  )

  compactor_arn      = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${local.function_names.compactor}"
  schedule_group_arn = "arn:${local.partition}:scheduler:${local.region}:${local.account_id}:schedule-group/${var.name}"
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = local.tags
}

module "schedule_role" {
  source   = "./modules/role"
  for_each = local.schedules

  name             = "${var.name}-schedule-${each.key}"
  description      = "Runs the schedule ${each.key}."
  service          = "scheduler.amazonaws.com"
  trust_conditions = { StringEquals = { "aws:SourceAccount" = [local.account_id], "aws:SourceArn" = [local.schedule_group_arn] } }
  statements = [
    each.value.statement,
    { sid = "KeepWhatFailed", actions = ["sqs:SendMessage"], resources = [local.dead_letter_arns.schedules] },
  ]
  # Of the stream, and of the queue.
  key_arns                 = concat([local.key_arns.data], var.ingestion.stream_kms_key_arn[*])
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                = each.key
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = each.value.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = each.value.target
    role_arn = module.schedule_role[each.key].arn
    input    = each.value.input

    dynamic "kinesis_parameters" {
      for_each = each.value.partition_key[*]

      content {
        partition_key = kinesis_parameters.value
      }
    }

    retry_policy {
      maximum_event_age_in_seconds = each.value.event_age_seconds
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters["schedules"].arn
    }
  }

  lifecycle {
    precondition {
      condition     = each.key != "canary" || !var.config.upload || contains(keys(local.rules), local.canary_rule)
      error_message = "The canary needs the rule ${local.canary_rule} in ${local.config_files["rules.yaml"]}: copy it from config/rules.yaml of this repository, or set canary = { enabled = false }."
    }
  }

  depends_on = [module.function, aws_kinesis_stream.this, aws_sqs_queue_policy.dead_letters]
}

# A run that fails goes on the next day where it stopped; trying again at once would meet the same fault.
resource "aws_lambda_function_event_invoke_config" "compactor" {
  count = var.compaction.enabled ? 1 : 0

  function_name                = module.function["compactor"].arn
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 0
}
