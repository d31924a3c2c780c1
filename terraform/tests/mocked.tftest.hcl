# Runs with any provider, real or schema-only, without credentials: nothing is called.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
}

variables {
  package_directory = "tests/fixtures/packages"
}

run "defaults_hold_every_safety_setting_of_the_stream" {
  command = plan

  assert {
    condition     = aws_lambda_event_source_mapping.detector.bisect_batch_on_function_error == true
    error_message = "a failing batch must be bisected"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.detector.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "the detector's answer must count"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.detector.maximum_retry_attempts > 0 && aws_lambda_event_source_mapping.detector.maximum_retry_attempts <= 10000
    error_message = "retries must be finite"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.detector.maximum_record_age_in_seconds > 0 && aws_lambda_event_source_mapping.detector.maximum_record_age_in_seconds < aws_kinesis_stream.this[0].retention_period * 3600
    error_message = "records must be given up before the stream drops them"
  }

  assert {
    condition     = startswith(aws_lambda_event_source_mapping.detector.destination_config[0].on_failure[0].destination_arn, "arn:aws:s3:::")
    error_message = "given up batches must be kept whole, which only S3 does"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.detector.starting_position == "TRIM_HORIZON"
    error_message = "a new deployment must not lose what is in the stream"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.detector.parallelization_factor == 2 && aws_lambda_event_source_mapping.detector.maximum_batching_window_in_seconds == 5
    error_message = "parallelization and window must be set"
  }

  assert {
    condition     = aws_kinesis_stream.this[0].encryption_type == "KMS" && aws_kinesis_stream.this[0].stream_mode_details[0].stream_mode == "ON_DEMAND"
    error_message = "the stream must be encrypted"
  }
}

run "remediation_is_off" {
  command = plan

  assert {
    condition     = !contains(keys(output.function_names), "remediator") && !contains(keys(output.environment), "remediator")
    error_message = "there must be no remediator unless asked for"
  }

  assert {
    condition     = length(aws_cloudformation_stack_set.members) == 0
    error_message = "there must be no role that repairs"
  }

  assert {
    condition     = jsondecode(file(aws_s3_object.config["remediator-config.json"].source)).dry_run == true
    error_message = "the configuration file that ships must say dry run"
  }
}

run "a_deployed_remediator_is_still_dry_and_disabled" {
  command = plan

  variables {
    remediation   = { deployed = true }
    subscriptions = [{ topic = "alerts", endpoint = "security@example.com" }]
  }

  assert {
    condition     = output.environment.remediator.DRY_RUN == "true" && output.environment.remediator.ENABLE_REMEDIATION == "false"
    error_message = "deployed does not mean enabled"
  }

  assert {
    condition     = !strcontains(jsonencode(output.policies["iam-policy-monitor-remediator"]), "\"iam:") && !strcontains(jsonencode(output.policies["iam-policy-monitor-remediator"]), "sts:AssumeRole")
    error_message = "the remediator itself must not be able to change IAM"
  }
}

run "glue_has_the_columns_of_schemas" {
  command = plan

  assert {
    condition = alltrue([for file in fileset("../schemas/generated/glue", "*.json") : (
      [for column in aws_glue_catalog_table.this[trimsuffix(file, ".json")].storage_descriptor[0].columns : "${column.name} ${column.type}"] ==
      [for column in jsondecode(file("../schemas/generated/glue/${file}")).columns : "${column.name} ${column.type}"]
    )])
    error_message = "columns differ"
  }

  assert {
    condition = alltrue([for name, table in aws_glue_catalog_table.this : (
      table.parameters["projection.enabled"] == "true" &&
      table.parameters["storage.location.template"] == "s3://iam-policy-monitor-audit-123456789012-us-east-1/${trimsuffix(name, "_raw")}/year=$${year}/month=$${month}/day=$${day}/" &&
      [for key in table.partition_keys : "${key.name} ${key.type}"] == ["year string", "month string", "day string"]
    )])
    error_message = "partitions must be projected by day"
  }

  assert {
    condition = alltrue([for name, view in aws_glue_catalog_table.view : (
      can(regex("^(SELECT|WITH)\\s", jsondecode(base64decode(trimsuffix(trimprefix(view.view_original_text, "/* Presto View: "), " */"))).originalSql)) &&
      (!fileexists("../schemas/generated/glue/${name}_raw.json") || endswith(jsondecode(base64decode(trimsuffix(trimprefix(view.view_original_text, "/* Presto View: "), " */"))).originalSql, "WHERE copy_number = 1")) &&
      jsondecode(base64decode(trimsuffix(trimprefix(view.view_original_text, "/* Presto View: "), " */"))).schema == "iam_policy_monitor" &&
      length(jsondecode(base64decode(trimsuffix(trimprefix(view.view_original_text, "/* Presto View: "), " */"))).columns) == length(view.storage_descriptor[0].columns)
    )])
    error_message = "views must carry the generated statement"
  }

  assert {
    condition = toset(keys(aws_glue_catalog_table.view)) == toset(concat(
      [for file in fileset("../schemas/generated/glue", "*_raw.json") : trimsuffix(file, "_raw.json")],
      [for file in fileset("../schemas/generated/views", "*.json") : trimsuffix(file, ".json")],
    )) && contains(keys(aws_glue_catalog_table.view), "violations")
    error_message = "each raw table has a view, and so has each generated question"
  }
}

run "every_queue_has_a_dead_letter_queue_and_every_target_a_retry_limit" {
  command = plan

  assert {
    condition     = toset(keys(module.route)) == toset(["sns_publisher", "metrics_publisher", "audit_logger"])
    error_message = "one route for each program behind the bus"
  }

  assert {
    condition     = aws_cloudwatch_event_target.ingest["default"].retry_policy[0].maximum_retry_attempts == 185 && length(aws_cloudwatch_event_target.ingest["default"].dead_letter_config) == 1
    error_message = "the way into the stream needs a retry limit and a dead-letter queue"
  }

  assert {
    condition     = aws_cloudwatch_event_archive.this.retention_days == 30
    error_message = "the bus is archived"
  }
}

run "eventbridge_is_the_default_and_excludes_the_others" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_event_rule.ingest) == 1 && length(aws_cloudwatch_log_subscription_filter.trail) == 0 && length(aws_kinesis_stream.this) == 1
    error_message = "one way in"
  }

  assert {
    condition     = aws_cloudwatch_event_target.ingest["default"].kinesis_target[0].partition_key_path == "$.detail.eventID"
    error_message = "records are spread by event, not by account"
  }
}

run "a_log_subscription_excludes_the_others" {
  command = plan

  variables {
    ingestion = { mode = "logs_subscription", log_group_name = "org-trail", log_source_account_ids = ["111122223333"] }
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.ingest) == 0 && length(aws_cloudwatch_log_subscription_filter.trail) == 1 && length(aws_cloudwatch_log_destination.members) == 1
    error_message = "one way in"
  }

  assert {
    condition     = aws_cloudwatch_log_subscription_filter.trail[0].distribution == "Random"
    error_message = "by log stream a few shards would carry everything"
  }
}

run "an_existing_stream_is_only_read" {
  command = plan

  variables {
    ingestion = { mode = "existing_stream", stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/theirs" }
  }

  assert {
    condition     = length(aws_kinesis_stream.this) == 0 && toset(keys(aws_scheduler_schedule.this)) == toset(["compact"]) && length(aws_cloudwatch_event_rule.ingest) == 0 && length(aws_cloudwatch_log_subscription_filter.trail) == 0
    error_message = "nothing is made beside it"
  }
}

run "an_organization_gets_roles_and_forwarding" {
  command = plan

  variables {
    organization = {
      enabled     = true
      id          = "o-exampleorgid"
      unit_ids    = ["r-exam"]
      external_id = "sixteen-characters"
    }
  }

  assert {
    condition     = aws_cloudformation_stack_set.members[0].permission_model == "SERVICE_MANAGED" && aws_cloudformation_stack_set.members[0].auto_deployment[0].enabled
    error_message = "accounts that join later must be reached, too"
  }

  assert {
    condition     = aws_cloudformation_stack_set.members[0].parameters["RemediationRole"] == "false" && aws_cloudformation_stack_set.members[0].parameters["AllowDetachPolicy"] == "false"
    error_message = "no remediation role unless asked for"
  }

  assert {
    condition     = contains(aws_cloudformation_stack_instances.members[0].deployment_targets[0].accounts, "123456789012") && aws_cloudformation_stack_instances.members[0].deployment_targets[0].account_filter_type == "DIFFERENCE"
    error_message = "this account watches itself"
  }

  assert {
    condition     = output.environment.detector.READ_ROLE_NAME == "iam-policy-monitor-read" && output.environment.detector.READ_ROLE_EXTERNAL_ID == "sixteen-characters"
    error_message = "the detector must know the role"
  }
}

run "only_allowed_repairs_reach_the_members" {
  command = plan

  variables {
    organization = {
      enabled           = true
      id                = "o-exampleorgid"
      unit_ids          = ["ou-ab12-abcdefgh"]
      external_id       = "sixteen-characters"
      remediation_roles = true
    }
    remediation   = { deployed = true, enabled = true, dry_run = false, allowed_actions = ["detach_policy"] }
    subscriptions = [{ topic = "priority", protocol = "https", endpoint = "https://example.com/pager" }]
  }

  assert {
    condition     = [for name, value in aws_cloudformation_stack_set.members[0].parameters : name if startswith(name, "Allow") && value == "true"] == ["AllowDetachPolicy"]
    error_message = "one permission for each allowed repair"
  }
}

run "in_a_dry_run_member_roles_can_only_look" {
  command = plan

  variables {
    organization = {
      enabled           = true
      id                = "o-exampleorgid"
      unit_ids          = ["r-exam"]
      external_id       = "sixteen-characters"
      remediation_roles = true
    }
    remediation   = { deployed = true, enabled = true, allowed_actions = ["detach_policy"] }
    subscriptions = [{ topic = "alerts", endpoint = "security@example.com" }]
  }

  assert {
    condition     = aws_cloudformation_stack_set.members[0].parameters["RemediationRole"] == "true" && [for name, value in aws_cloudformation_stack_set.members[0].parameters : name if startswith(name, "Allow") && value == "true"] == []
    error_message = "a dry run needs no right to change anything"
  }
}

run "alarms_watch_what_must_never_happen" {
  command = plan

  assert {
    condition     = length(setsubtract(["books-unbalanced", "rule-errors", "config-rejected", "quiet", "lag", "dropped-batches", "failed-batches", "unreadable"], keys(module.alarms.names))) == 0
    error_message = "an alarm is missing"
  }
}

run "the_clock_runs_the_compactor_and_the_canary" {
  command = plan

  assert {
    condition     = toset(keys(aws_scheduler_schedule.this)) == toset(["canary", "compact"])
    error_message = "two schedules"
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : length(schedule.target[0].dead_letter_config) == 1 && schedule.target[0].retry_policy[0].maximum_retry_attempts == 5])
    error_message = "every target has a retry limit and a dead-letter queue"
  }

  assert {
    condition     = aws_scheduler_schedule.this["canary"].target[0].arn == output.stream_arn && strcontains(aws_scheduler_schedule.this["canary"].target[0].input, "\"<aws.scheduler.scheduled-time>\"")
    error_message = "Scheduler must find its own words in the canary"
  }

  assert {
    condition     = contains(keys(module.alarms.names), "canary") && strcontains(aws_cloudwatch_composite_alarm.blind.alarm_rule, "ALARM(\"iam-policy-monitor-canary\")")
    error_message = "the canary has an alarm, and that one pages"
  }
}

run "without_them_there_is_nothing_to_run" {
  command = plan

  variables {
    canary     = { enabled = false }
    compaction = { enabled = false }
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && !contains(keys(output.function_names), "compactor") && !contains(keys(module.alarms.names), "canary")
    error_message = "what is switched off must leave nothing behind"
  }
}

run "a_stream_of_somebody_else_gets_a_canary_only_if_asked_for" {
  command = plan

  variables {
    ingestion = { mode = "existing_stream", stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/theirs" }
    canary    = { enabled = true }
  }

  assert {
    condition     = aws_scheduler_schedule.this["canary"].target[0].arn == "arn:aws:kinesis:us-east-1:123456789012:stream/theirs"
    error_message = "the canary goes into the stream that is read"
  }
}
