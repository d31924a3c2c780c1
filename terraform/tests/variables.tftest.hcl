# Each broken variable is refused at plan. Nothing is called.
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

run "a_bad_bucket_name_is_refused" {
  command = plan

  variables {
    lake = { bucket_name = "Audit.Bucket" }
  }

  expect_failures = [var.lake]
}

run "an_unknown_architecture_is_refused" {
  command = plan

  variables {
    architecture = "riscv64"
  }

  expect_failures = [var.architecture]
}

run "a_name_too_long_for_buckets_is_refused" {
  command = plan

  variables {
    name = "a-very-long-name-that-cannot-be-a-bucket"
  }

  expect_failures = [var.name]
}

run "a_scan_limit_of_zero_is_refused" {
  command = plan

  variables {
    athena = { scan_limit_bytes = 0 }
  }

  expect_failures = [var.athena]
}

run "a_repair_budget_of_zero_is_refused" {
  command = plan

  variables {
    config = { directory = "tests/fixtures/zero-budget" }
    canary = { enabled = false }
  }

  expect_failures = [aws_s3_object.config["remediator-config.json"]]
}

run "remediation_without_anybody_to_tell_is_refused" {
  command = plan

  variables {
    remediation = { deployed = true }
  }

  expect_failures = [var.remediation]
}

run "repairs_without_a_remediator_are_refused" {
  command = plan

  variables {
    remediation = { enabled = true }
  }

  expect_failures = [var.remediation]
}

run "real_repairs_without_a_list_of_actions_are_refused" {
  command = plan

  variables {
    remediation   = { deployed = true, enabled = true, dry_run = false }
    subscriptions = [{ topic = "alerts", endpoint = "security@example.com" }]
  }

  expect_failures = [var.remediation]
}

run "an_unknown_repair_is_refused" {
  command = plan

  variables {
    remediation   = { deployed = true, allowed_actions = ["delete_everything"] }
    subscriptions = [{ topic = "alerts", endpoint = "security@example.com" }]
  }

  expect_failures = [var.remediation]
}

run "retries_for_ever_are_refused" {
  command = plan

  variables {
    detector = { maximum_retry_attempts = -1 }
  }

  expect_failures = [var.detector]
}

run "a_record_age_beyond_the_streams_retention_is_refused" {
  command = plan

  variables {
    detector = { maximum_record_age_seconds = 259200 }
  }

  expect_failures = [var.detector]
}

run "shards_of_an_on_demand_stream_are_refused" {
  command = plan

  variables {
    stream = { shard_count = 2 }
  }

  expect_failures = [var.stream]
}

run "an_unknown_way_in_is_refused" {
  command = plan

  variables {
    ingestion = { mode = "kafka" }
  }

  expect_failures = [var.ingestion]
}

run "a_subscription_without_a_log_group_is_refused" {
  command = plan

  variables {
    ingestion = { mode = "logs_subscription" }
  }

  expect_failures = [var.ingestion]
}

run "plain_http_is_refused" {
  command = plan

  variables {
    subscriptions = [{ topic = "alerts", protocol = "http", endpoint = "http://example.com" }]
  }

  expect_failures = [var.subscriptions]
}

run "an_unknown_topic_is_refused" {
  command = plan

  variables {
    subscriptions = [{ topic = "everyone", endpoint = "security@example.com" }]
  }

  expect_failures = [var.subscriptions]
}

run "the_webhook_itself_is_refused" {
  command = plan

  variables {
    notifications = { slack = { webhook_parameter_name = "https://hooks.slack.com/services/x" } }
  }

  expect_failures = [var.notifications]
}

run "an_unknown_log_retention_is_refused" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "an_organization_without_id_is_refused" {
  command = plan

  variables {
    organization = { enabled = true }
  }

  expect_failures = [var.organization]
}

run "a_short_external_id_is_refused" {
  command = plan

  variables {
    organization = { external_id = "short" }
  }

  expect_failures = [var.organization]
}

run "claims_that_end_before_the_archive_are_refused" {
  command = plan

  variables {
    routes = { archive_days = 90 }
  }

  expect_failures = [var.routes]
}

run "a_key_alias_is_refused" {
  command = plan

  variables {
    kms_key_arns = { lake = "alias/lake" }
  }

  expect_failures = [var.kms_key_arns]
}

run "one_try_is_refused" {
  command = plan

  variables {
    routes = { max_receive_count = 1 }
  }

  expect_failures = [var.routes]
}

run "an_alarm_between_periods_is_refused" {
  command = plan

  variables {
    alarms = { quiet_minutes = 7 }
  }

  expect_failures = [var.alarms]
}

run "a_role_that_repairs_without_a_remediator_is_refused" {
  command = plan

  variables {
    organization = {
      enabled           = true
      id                = "o-exampleorgid"
      unit_ids          = ["r-exam"]
      external_id       = "sixteen-characters"
      remediation_roles = true
    }
  }

  expect_failures = [aws_cloudformation_stack_set.members]
}

run "a_schedule_that_is_none_is_refused" {
  command = plan

  variables {
    compaction = { schedule = "daily" }
  }

  expect_failures = [var.compaction]
}

run "a_compactor_without_room_to_sort_is_refused" {
  command = plan

  variables {
    compaction = { memory_mb = 512 }
  }

  expect_failures = [var.compaction]
}

run "a_canary_every_minute_is_refused" {
  command = plan

  variables {
    canary = { minutes = 1 }
  }

  expect_failures = [var.canary]
}

run "a_canary_without_its_rule_is_refused" {
  command = plan

  variables {
    config = { directory = "tests/fixtures/no-canary" }
  }

  expect_failures = [aws_scheduler_schedule.this["canary"]]
}
