# The programs as functions: settings, environment, role.
locals {
  # Only what the programs read (SETTINGS in stream/src/settings.rs and remediation/src/settings.rs); a test compares the names. Null: not set.
  common_environment = {
    AUDIT_BUCKET      = local.buckets.audit
    METRICS_NAMESPACE = var.metrics_namespace
    DEBUG             = tostring(var.debug)
  }

  environment = {
    detector = merge(local.common_environment, {
      RULES_BUCKET           = local.buckets.config
      RULES_KEY              = "rules.yaml"
      SUPPRESS_KEY           = "suppress.yaml"
      CONFIG_REFRESH_SECONDS = tostring(var.config.refresh_seconds)
      EVENTBRIDGE_BUS_NAME   = local.bus_name
      USE_EVENTBRIDGE        = "true"
      BUS_ENTRY_MAX_BYTES    = tostring(var.detector.bus_entry_max_bytes)
      SNS_TOPIC_ARN          = local.topic_arns.alerts
      SQS_QUEUE_URL          = var.remediation.deployed ? local.queue_urls.remediator : null
      READ_ROLE_NAME         = var.organization.enabled ? local.read_role : null
      READ_ROLE_EXTERNAL_ID  = var.organization.enabled ? var.organization.external_id : null
    })

    sns_publisher = merge(local.common_environment, {
      SNS_TOPIC_ARN          = local.topic_arns.alerts
      SNS_PRIORITY_TOPIC_ARN = local.has_priority_topic ? local.topic_arns.priority : null
      SNS_MESSAGE_STRUCTURE  = var.notifications.sns_message_structure
    })

    slack_handler = merge(local.common_environment, {
      RULES_BUCKET            = local.buckets.config
      NOTIFICATION_CONFIG_KEY = "notification-config.yaml"
      CONFIG_REFRESH_SECONDS  = tostring(var.config.refresh_seconds)
      SLACK_WEBHOOK_PARAMETER = local.slack_parameter
    })

    metrics_publisher = merge(local.common_environment, {
      METRICS_MAX_DIMENSION_VALUES = tostring(var.notifications.metrics_max_dimension_values)
    })

    audit_logger = merge(local.common_environment, {
      FIREHOSE_STREAM_NAME = local.uses_firehose ? local.firehose_name : null
    })

    compactor = merge(local.common_environment, {
      COMPACT_MONTHS = tostring(var.compaction.months)
    })

    remediator = merge(local.common_environment, {
      RULES_BUCKET            = local.buckets.config
      EVENTBRIDGE_BUS_NAME    = local.bus_name
      USE_EVENTBRIDGE         = "true"
      BUS_ENTRY_MAX_BYTES     = tostring(var.detector.bus_entry_max_bytes)
      SQS_QUEUE_URL           = var.remediation.deployed ? local.queue_urls.remediator : null
      ALLOWED_ACTIONS         = join(",", var.remediation.allowed_actions)
      DRY_RUN                 = tostring(var.remediation.dry_run)
      ENABLE_REMEDIATION      = tostring(var.remediation.enabled)
      REMEDIATOR_CONFIG_KEY   = "remediator-config.json"
      REMEDIATION_ROLE_NAME   = var.organization.remediation_roles ? local.remediation_role : null
      REMEDIATION_EXTERNAL_ID = var.organization.remediation_roles ? var.organization.external_id : null
      OWN_ACCOUNT_ROLE_NAME   = var.remediation.own_account ? local.own_repair_role : null
    })
  }

  functions = {
    detector          = { description = "Judges changes of IAM privilege in CloudTrail records.", memory_mb = var.detector.memory_mb, timeout_seconds = var.detector.timeout_seconds }
    sns_publisher     = { description = "Tells people of violations and repairs by SNS.", memory_mb = 256, timeout_seconds = 60 }
    slack_handler     = { description = "Tells people of violations and repairs in Slack.", memory_mb = 256, timeout_seconds = 60 }
    metrics_publisher = { description = "Counts violations and repairs in CloudWatch.", memory_mb = 256, timeout_seconds = 60 }
    audit_logger      = { description = "Writes every event of the bus to the audit log.", memory_mb = 256, timeout_seconds = 60 }
    compactor         = { description = "Merges the small files of the lake.", memory_mb = var.compaction.memory_mb, timeout_seconds = 900 }
    remediator        = { description = "Repairs what may be repaired, within budgets.", memory_mb = 256, timeout_seconds = var.remediation.timeout_seconds }
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.deployed

  name                     = local.function_names[each.key]
  description              = local.functions[each.key].description
  package                  = "${local.package_directory}/${each.key}.zip"
  architecture             = var.architecture
  memory_mb                = local.functions[each.key].memory_mb
  timeout_seconds          = local.functions[each.key].timeout_seconds
  reserved_concurrency     = each.key == "detector" ? var.detector.reserved_concurrency : -1
  environment              = { for name, value in local.environment[each.key] : name => value if value != null && value != "" }
  statements               = concat(local.statements[each.key], contains(local.consumers, each.key) ? [local.receive[each.key]] : [])
  key_arns                 = merge({ data = local.key_arns.data, lake = local.key_arns.lake }, each.key == "detector" && var.ingestion.stream_kms_key_arn != null ? { stream = var.ingestion.stream_kms_key_arn } : {})
  environment_key_arn      = local.key_arns.data
  log_group_arn            = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/lambda/${local.function_names[each.key]}"
  log_key_arn              = local.key_arns.logs
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  alarm_periods            = each.key == "compactor" ? 1 : 3 # it runs once a day
  alarm_actions            = local.alarm_actions
  tags                     = local.tags
}
