# ---------------------------------------------------------------------------------------------------------------------
# Naming
# ---------------------------------------------------------------------------------------------------------------------

variable "name" {
  description = "Prefix of every resource's name."
  type        = string
  default     = "iam-policy-monitor"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name)) && !endswith(var.name, "-")
    error_message = "name must have 3 to 24 characters: lower-case letters, digits and hyphens, a letter first, no hyphen last. It begins bucket names."
  }
}

variable "tags" {
  description = "Tags of every resource that takes tags."
  type        = map(string)
  default     = {}
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role, where the account demands one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a managed policy: arn:aws:iam::111122223333:policy/NAME."
  }
}

# ---------------------------------------------------------------------------------------------------------------------
# Programs and their configuration files
# ---------------------------------------------------------------------------------------------------------------------

variable "architecture" {
  description = "Processor of all functions; `make package` must have made packages for it."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "package_directory" {
  description = "Folder with one zip per program, as `make package` writes it. Default: dist/<architecture> of this repository."
  type        = string
  default     = null
}

variable "config" {
  description = "Where rules.yaml, suppress.yaml, notification-config.yaml and remediator-config.json lie (default: config/ of this repository), whether Terraform uploads them, and how often the programs look for changes."
  type = object({
    directory       = optional(string)
    upload          = optional(bool, true)
    refresh_seconds = optional(number, 60)
  })
  default = {}

  validation {
    condition     = var.config.refresh_seconds >= 10 && var.config.refresh_seconds <= 3600
    error_message = "config.refresh_seconds must lie between 10 and 3600."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of all metrics that the programs publish."
  type        = string
  default     = "IAMPolicyMonitor"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/#-]{1,200}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "metrics_namespace takes letters, digits and . _ / # -, and must not begin with AWS/."
  }
}

variable "debug" {
  description = "Programs write debug lines to their logs."
  type        = bool
  default     = false
}

# ---------------------------------------------------------------------------------------------------------------------
# Ingestion and stream
# ---------------------------------------------------------------------------------------------------------------------

variable "ingestion" {
  description = "How CloudTrail reaches the stream: `logs_subscription` (a trail's log group; complete, minutes late), `eventbridge` (seconds late; deploy in us-east-1, where IAM's events are) or `existing_stream` (somebody else fills it)."
  type = object({
    mode                   = optional(string, "eventbridge")
    log_group_name         = optional(string)
    log_source_account_ids = optional(list(string), [])
    log_filter_pattern     = optional(string, "{ ($.readOnly IS FALSE) || ($.readOnly NOT EXISTS) || ($.eventName = \"AssumeRoot\") || ($.eventName = \"GetFederationToken\") }")
    stream_arn             = optional(string)
    stream_kms_key_arn     = optional(string)
  })
  default = {}

  validation {
    condition     = contains(["logs_subscription", "eventbridge", "existing_stream"], var.ingestion.mode)
    error_message = "ingestion.mode must be logs_subscription, eventbridge or existing_stream."
  }

  validation {
    condition     = (var.ingestion.mode == "existing_stream") == (var.ingestion.stream_arn != null)
    error_message = "ingestion.stream_arn belongs to ingestion.mode = existing_stream, which needs it."
  }

  validation {
    condition     = var.ingestion.stream_arn == null || can(regex("^arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/.+$", var.ingestion.stream_arn))
    error_message = "ingestion.stream_arn must be the ARN of a Kinesis stream."
  }

  validation {
    condition     = var.ingestion.mode != "logs_subscription" || var.ingestion.log_group_name != null || length(var.ingestion.log_source_account_ids) > 0
    error_message = "ingestion.mode = logs_subscription needs log_group_name (a log group of this account) or log_source_account_ids (accounts that subscribe theirs)."
  }

  validation {
    condition     = alltrue([for id in var.ingestion.log_source_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "ingestion.log_source_account_ids must be 12-digit account ids."
  }

  validation {
    condition     = length(var.ingestion.log_filter_pattern) <= 1024
    error_message = "ingestion.log_filter_pattern may have 1,024 characters."
  }
}

variable "stream" {
  description = "The Kinesis stream. Retention must outlast the longest outage you want to survive without `replay`."
  type = object({
    mode            = optional(string, "ON_DEMAND")
    shard_count     = optional(number)
    retention_hours = optional(number, 72)
  })
  default = {}

  validation {
    condition     = contains(["ON_DEMAND", "PROVISIONED"], var.stream.mode)
    error_message = "stream.mode must be ON_DEMAND or PROVISIONED."
  }

  validation {
    condition     = (var.stream.mode == "PROVISIONED") == (var.stream.shard_count != null)
    error_message = "stream.shard_count belongs to stream.mode = PROVISIONED, which needs it."
  }

  validation {
    condition     = var.stream.shard_count == null ? true : var.stream.shard_count >= 1
    error_message = "stream.shard_count must be at least 1."
  }

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "stream.retention_hours must lie between 24 and 8760."
  }
}

variable "detector" {
  description = "The detector and its event source mapping. A batch may be tried again until it is older than maximum_record_age_seconds; then it goes whole to the failures bucket, from where `replay` brings it back."
  type = object({
    memory_mb                  = optional(number, 1024)
    timeout_seconds            = optional(number, 60)
    reserved_concurrency       = optional(number, -1)
    batch_size                 = optional(number, 1000)
    batching_window_seconds    = optional(number, 5)
    parallelization_factor     = optional(number, 2)
    maximum_retry_attempts     = optional(number, 500)
    maximum_record_age_seconds = optional(number, 172800)
    starting_position          = optional(string, "TRIM_HORIZON")
    bus_entry_max_bytes        = optional(number, 262144)
  })
  default = {}

  validation {
    condition     = var.detector.memory_mb >= 256 && var.detector.memory_mb <= 10240
    error_message = "detector.memory_mb must lie between 256 and 10240."
  }

  validation {
    condition     = var.detector.timeout_seconds >= 30 && var.detector.timeout_seconds <= 900
    error_message = "detector.timeout_seconds must lie between 30 and 900: the detector keeps 11 seconds for delivering."
  }

  validation {
    condition     = var.detector.batch_size >= 1 && var.detector.batch_size <= 10000
    error_message = "detector.batch_size must lie between 1 and 10000."
  }

  validation {
    condition     = var.detector.batching_window_seconds >= 0 && var.detector.batching_window_seconds <= 300
    error_message = "detector.batching_window_seconds must lie between 0 and 300."
  }

  validation {
    condition     = var.detector.parallelization_factor >= 1 && var.detector.parallelization_factor <= 10
    error_message = "detector.parallelization_factor must lie between 1 and 10."
  }

  validation {
    condition     = var.detector.maximum_retry_attempts >= 1 && var.detector.maximum_retry_attempts <= 10000
    error_message = "detector.maximum_retry_attempts must lie between 1 and 10000; -1, for ever, would let one batch block its shard."
  }

  validation {
    condition     = var.detector.maximum_record_age_seconds >= 60 && var.detector.maximum_record_age_seconds < var.stream.retention_hours * 3600 && var.detector.maximum_record_age_seconds <= 604800
    error_message = "detector.maximum_record_age_seconds must be at least 60, at most 604800 and less than the stream's retention: what the stream has dropped cannot be stored as failed."
  }

  validation {
    condition     = contains(["TRIM_HORIZON", "LATEST"], var.detector.starting_position)
    error_message = "detector.starting_position must be TRIM_HORIZON or LATEST."
  }

  validation {
    condition     = var.detector.bus_entry_max_bytes >= 16384 && var.detector.bus_entry_max_bytes <= 1048576
    error_message = "detector.bus_entry_max_bytes must lie between 16384 and 1048576."
  }
}

# ---------------------------------------------------------------------------------------------------------------------
# Telling people
# ---------------------------------------------------------------------------------------------------------------------

variable "subscriptions" {
  description = "Who hears of what. Topics: `alerts` (violations and repairs), `priority` (HIGH, CRITICAL, failed repairs; without subscribers they go to alerts), `operations` (alarms of this system). E-mail addresses must confirm."
  type = list(object({
    topic    = string
    protocol = optional(string, "email")
    endpoint = string
  }))
  default = []

  validation {
    condition     = alltrue([for s in var.subscriptions : contains(["alerts", "priority", "operations"], s.topic)])
    error_message = "subscriptions[].topic must be alerts, priority or operations."
  }

  validation {
    condition     = alltrue([for s in var.subscriptions : contains(["email", "email-json", "https", "sqs", "lambda", "sms", "firehose"], s.protocol)])
    error_message = "subscriptions[].protocol must be email, email-json, https, sqs, lambda, sms or firehose; plain http is refused."
  }
}

variable "notifications" {
  description = "Form of SNS messages (`text`, or `json` for a form per protocol), Slack, and how many values a metric dimension may have. Without slack.webhook_parameter_name a SecureString parameter is created, whose value you then set."
  type = object({
    sns_message_structure = optional(string, "text")
    slack = optional(object({
      enabled                = optional(bool, false)
      webhook_parameter_name = optional(string)
    }), {})
    metrics_max_dimension_values = optional(number, 500)
  })
  default = {}

  validation {
    condition     = contains(["text", "json"], var.notifications.sns_message_structure)
    error_message = "notifications.sns_message_structure must be text or json."
  }

  validation {
    condition     = var.notifications.slack.webhook_parameter_name == null || can(regex("^/[A-Za-z0-9_./-]+$", var.notifications.slack.webhook_parameter_name))
    error_message = "notifications.slack.webhook_parameter_name must begin with a slash; give the name of the SSM parameter, never the webhook itself."
  }

  validation {
    condition     = var.notifications.metrics_max_dimension_values >= 1
    error_message = "notifications.metrics_max_dimension_values must be at least 1."
  }
}

variable "routes" {
  description = "How long EventBridge tries to hand an event to a queue before it becomes a dead letter, how often a handler tries a message, and how long the bus archive keeps events."
  type = object({
    event_age_seconds    = optional(number, 86400)
    event_retry_attempts = optional(number, 185)
    max_receive_count    = optional(number, 5)
    archive_days         = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.routes.event_age_seconds >= 60 && var.routes.event_age_seconds <= 86400
    error_message = "routes.event_age_seconds must lie between 60 and 86400."
  }

  validation {
    condition     = var.routes.event_retry_attempts >= 1 && var.routes.event_retry_attempts <= 185
    error_message = "routes.event_retry_attempts must lie between 1 and 185."
  }

  validation {
    condition     = var.routes.max_receive_count >= 2 && var.routes.max_receive_count <= 100
    error_message = "routes.max_receive_count must lie between 2 and 100: one failure alone is no reason for a dead letter."
  }

  validation {
    condition     = var.routes.archive_days >= 1 && var.routes.archive_days < var.lake.claims_days
    error_message = "routes.archive_days must be at least 1 and less than lake.claims_days: an event replayed after its claim is gone would be told, and repaired, again."
  }
}

# ---------------------------------------------------------------------------------------------------------------------
# Lake
# ---------------------------------------------------------------------------------------------------------------------

variable "lake" {
  description = "The audit lake: name of its bucket (default: made from name, account and region), how long things are kept, and Object Lock (mode NONE, GOVERNANCE or COMPLIANCE; can only be chosen when the bucket is made)."
  type = object({
    bucket_name         = optional(string)
    archive_after_days  = optional(number, 180)
    claims_days         = optional(number, 90)
    dead_letter_days    = optional(number, 400)
    noncurrent_days     = optional(number, 90)
    object_lock_mode    = optional(string, "NONE")
    object_lock_days    = optional(number, 365)
    force_destroy       = optional(bool, false)
    audit_log_sink      = optional(string, "firehose")
    firehose_buffer_mb  = optional(number, 64)
    firehose_buffer_sec = optional(number, 300)
  })
  default = {}

  validation {
    condition     = var.lake.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.lake.bucket_name))
    error_message = "lake.bucket_name must have 3 to 63 characters: lower-case letters, digits and hyphens, a letter or digit at both ends. Dots are refused as they break TLS."
  }

  validation {
    condition     = contains(["NONE", "GOVERNANCE", "COMPLIANCE"], var.lake.object_lock_mode)
    error_message = "lake.object_lock_mode must be NONE, GOVERNANCE or COMPLIANCE."
  }

  validation {
    condition     = var.lake.claims_days >= 30
    error_message = "lake.claims_days must be at least 30: a claim must outlive every redelivery of its event (queues keep messages for 14 days)."
  }

  validation {
    condition     = var.lake.dead_letter_days >= 30 && var.lake.noncurrent_days >= 1 && var.lake.archive_after_days >= 30
    error_message = "lake.dead_letter_days and lake.archive_after_days must be at least 30, lake.noncurrent_days at least 1."
  }

  validation {
    condition     = var.lake.object_lock_days >= 1
    error_message = "lake.object_lock_days must be at least 1."
  }

  validation {
    condition     = contains(["firehose", "direct"], var.lake.audit_log_sink)
    error_message = "lake.audit_log_sink must be firehose (few large files, minutes late) or direct (one small file per batch, at once)."
  }

  validation {
    condition     = var.lake.firehose_buffer_mb >= 64 && var.lake.firehose_buffer_mb <= 128 && var.lake.firehose_buffer_sec >= 60 && var.lake.firehose_buffer_sec <= 900
    error_message = "lake.firehose_buffer_mb must lie between 64 (the least for Parquet) and 128, firehose_buffer_sec between 60 and 900."
  }
}

variable "athena" {
  description = "Athena workgroup: bytes that one query may scan, and how long results are kept."
  type = object({
    scan_limit_bytes = optional(number, 10737418240)
    results_days     = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.athena.scan_limit_bytes >= 10485760
    error_message = "athena.scan_limit_bytes must be at least 10485760 (10 MB), Athena's own least."
  }

  validation {
    condition     = var.athena.results_days >= 1
    error_message = "athena.results_days must be at least 1."
  }
}

variable "compaction" {
  description = "The compactor: when it merges the small files of the lake (EventBridge Scheduler, UTC), how many months it goes through, this one included, and its memory. Without it run `analytics compact`."
  type = object({
    enabled   = optional(bool, true)
    schedule  = optional(string, "cron(20 3 * * ? *)")
    months    = optional(number, 3)
    memory_mb = optional(number, 3072)
  })
  default = {}

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.compaction.schedule))
    error_message = "compaction.schedule must be cron(…) or rate(…), as EventBridge Scheduler takes it."
  }

  validation {
    condition     = var.compaction.months >= 1 && var.compaction.months <= 240
    error_message = "compaction.months must lie between 1 and 240."
  }

  validation {
    condition     = var.compaction.memory_mb >= 1024 && var.compaction.memory_mb <= 10240
    error_message = "compaction.memory_mb must lie between 1024 and 10240: up to 128 MB of decoded rows are sorted and written at a time."
  }
}

# ---------------------------------------------------------------------------------------------------------------------
# Operation
# ---------------------------------------------------------------------------------------------------------------------

variable "canary" {
  description = "A made-up event that goes into the stream every so many minutes and must come back on the bus: the alarm `canary` rings when two stay away. Default: where the stream is this module's own. Needs the rule Canary in rules.yaml."
  type = object({
    enabled = optional(bool)
    minutes = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.canary.minutes >= 5 && var.canary.minutes <= 360 && floor(var.canary.minutes) == var.canary.minutes
    error_message = "canary.minutes must be a whole number from 5 to 360."
  }
}

variable "kms_key_arns" {
  description = "Keys of your own instead of new ones, by data class: data (stream, queues, topics, bus, parameter), lake (buckets), logs. Their policies must allow what kms.tf grants."
  type = object({
    data = optional(string)
    lake = optional(string)
    logs = optional(string)
  })
  default = {}

  validation {
    condition     = alltrue([for arn in values(var.kms_key_arns) : arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))])
    error_message = "kms_key_arns must be ARNs of keys (not aliases)."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the programs' logs."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs knows, such as 30, 90, 365 or 731."
  }
}

variable "alarms" {
  description = "Thresholds. quiet_minutes: alarm when no record arrives for so long (0 switches it off, for very quiet accounts)."
  type = object({
    quiet_minutes         = optional(number, 60)
    lag_minutes           = optional(number, 15)
    queue_age_minutes     = optional(number, 30)
    extra_alarm_topic_arn = optional(string)
  })
  default = {}

  validation {
    condition     = var.alarms.quiet_minutes == 0 || (var.alarms.quiet_minutes >= 5 && var.alarms.quiet_minutes <= 1440 && var.alarms.quiet_minutes % 5 == 0)
    error_message = "alarms.quiet_minutes must be 0 (off) or a multiple of 5 from 5 to 1440."
  }

  validation {
    condition     = var.alarms.lag_minutes >= 1 && var.alarms.queue_age_minutes >= 1
    error_message = "alarms.lag_minutes and alarms.queue_age_minutes must be at least 1."
  }
}

# ---------------------------------------------------------------------------------------------------------------------
# Organization and remediation
# ---------------------------------------------------------------------------------------------------------------------

variable "organization" {
  description = "Member accounts, by a service-managed stack set: a read role for the detector, the remediation role if asked for, and with ingestion.mode = eventbridge a rule that forwards events. Deploy in the delegated administrator's account (call_as = DELEGATED_ADMIN) or the management account (SELF). Stack sets never reach the management account itself."
  type = object({
    enabled              = optional(bool, false)
    id                   = optional(string)
    unit_ids             = optional(list(string), [])
    excluded_account_ids = optional(list(string), [])
    call_as              = optional(string, "DELEGATED_ADMIN")
    external_id          = optional(string)
    remediation_roles    = optional(bool, false)
  })
  default = {}

  validation {
    condition     = !var.organization.enabled || (var.organization.id != null && length(var.organization.unit_ids) > 0 && var.organization.external_id != null)
    error_message = "organization.enabled needs organization.id, unit_ids and external_id."
  }

  validation {
    condition     = var.organization.id == null || can(regex("^o-[a-z0-9]{10,32}$", var.organization.id))
    error_message = "organization.id must look like o-exampleorgid."
  }

  validation {
    condition     = alltrue([for id in var.organization.unit_ids : can(regex("^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$", id))])
    error_message = "organization.unit_ids must be organizational units (ou-…) or the root (r-…)."
  }

  validation {
    condition     = alltrue([for id in var.organization.excluded_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "organization.excluded_account_ids must be 12-digit account ids."
  }

  validation {
    condition     = contains(["DELEGATED_ADMIN", "SELF"], var.organization.call_as)
    error_message = "organization.call_as must be DELEGATED_ADMIN or SELF."
  }

  validation {
    condition     = var.organization.external_id == null || can(regex("^[A-Za-z0-9+=,.@:/-]{16,256}$", var.organization.external_id))
    error_message = "organization.external_id must have 16 to 256 characters of A-Z a-z 0-9 + = , . @ : / -."
  }
}

variable "remediation" {
  description = "Automatic repair. Off at three places, all of which must be changed by hand: `deployed` here (without it there is no remediator at all), `enabled` and `dry_run` here (the function's environment), and `dry_run` in remediator-config.json. own_account makes the remediation role here, too."
  type = object({
    deployed        = optional(bool, false)
    enabled         = optional(bool, false)
    dry_run         = optional(bool, true)
    allowed_actions = optional(list(string), [])
    own_account     = optional(bool, false)
    max_concurrency = optional(number, 2)
    timeout_seconds = optional(number, 120)
  })
  default = {}

  validation {
    condition     = var.remediation.deployed || (!var.remediation.enabled && var.remediation.dry_run && !var.remediation.own_account)
    error_message = "remediation.enabled = true, own_account = true or dry_run = false needs remediation.deployed = true."
  }

  validation {
    condition     = !var.remediation.deployed || length([for s in var.subscriptions : s if contains(["alerts", "priority"], s.topic)]) > 0
    error_message = "remediation.deployed needs a subscription to the topic alerts or priority: repairs, and refusals to repair, must reach somebody."
  }

  validation {
    condition     = var.remediation.dry_run || (var.remediation.enabled && length(var.remediation.allowed_actions) > 0)
    error_message = "remediation.dry_run = false needs enabled = true and at least one entry in allowed_actions."
  }

  validation {
    condition = alltrue([for action in var.remediation.allowed_actions : contains([
      "detach_policy", "delete_policy", "delete_inline_policy", "quarantine_policy", "revert_policy_version", "restore_trust_policy",
      "restore_boundary", "deactivate_access_key", "remove_from_group", "log_only",
    ], action)])
    error_message = "remediation.allowed_actions has an unknown action; README.md lists the actions."
  }

  validation {
    condition     = var.remediation.max_concurrency >= 2 && var.remediation.max_concurrency <= 100
    error_message = "remediation.max_concurrency must lie between 2 (the least that SQS allows) and 100."
  }

  validation {
    condition     = var.remediation.timeout_seconds >= 30 && var.remediation.timeout_seconds <= 900
    error_message = "remediation.timeout_seconds must lie between 30 and 900."
  }
}
