# Names and ARNs are made here from variables, not read back from resources: policies are complete in the plan, where people
# and tests can read them, and keys, queues and roles can name one another without a cycle.
locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.region
  dns_suffix = data.aws_partition.current.dns_suffix

  tags = merge({ system = var.name }, var.tags)

  package_directory = coalesce(var.package_directory, "${path.module}/../dist/${var.architecture}")
  config_directory  = coalesce(var.config.directory, "${path.module}/../config")

  buckets = {
    audit    = coalesce(var.lake.bucket_name, "${var.name}-audit-${local.account_id}-${local.region}")
    config   = "${var.name}-config-${local.account_id}-${local.region}"
    failures = "${var.name}-failed-${local.account_id}-${local.region}"
    results  = "${var.name}-athena-${local.account_id}-${local.region}"
    logs     = "${var.name}-access-${local.account_id}-${local.region}"
  }
  bucket_arns = { for kind, bucket in local.buckets : kind => "arn:${local.partition}:s3:::${bucket}" }

  topics     = { for topic in ["alerts", "priority", "operations"] : topic => "${var.name}-${topic}" }
  topic_arns = { for topic, name in local.topics : topic => "arn:${local.partition}:sns:${local.region}:${local.account_id}:${name}" }

  # One entry per program. The switch decides whether the program is deployed.
  programs = {
    detector          = true
    sns_publisher     = true
    metrics_publisher = true
    audit_logger      = true
    slack_handler     = var.notifications.slack.enabled
    remediator        = var.remediation.deployed
    compactor         = var.compaction.enabled
  }
  deployed       = toset([for program, wanted in local.programs : program if wanted])
  function_names = { for program in keys(local.programs) : program => "${var.name}-${replace(program, "_", "-")}" }

  # The programs behind a queue, each on its own route from the bus.
  consumers  = setsubtract(local.deployed, ["detector", "compactor"])
  queue_arns = { for program in local.consumers : program => "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.function_names[program]}" }
  queue_urls = { for program in local.consumers : program => "https://sqs.${local.region}.${local.dns_suffix}/${local.account_id}/${local.function_names[program]}" }

  bus_name = var.name
  bus_arn  = "arn:${local.partition}:events:${local.region}:${local.account_id}:event-bus/${local.bus_name}"

  owns_stream = var.ingestion.mode != "existing_stream"
  stream_arn  = local.owns_stream ? "arn:${local.partition}:kinesis:${local.region}:${local.account_id}:stream/${var.name}" : var.ingestion.stream_arn

  uses_firehose = var.lake.audit_log_sink == "firehose"
  firehose_name = "${var.name}-audit-log"
  firehose_arn  = "arn:${local.partition}:firehose:${local.region}:${local.account_id}:deliverystream/${local.firehose_name}"

  slack_parameter = coalesce(var.notifications.slack.webhook_parameter_name, "/${var.name}/slack-webhook")

  database = replace(var.name, "-", "_")

  # Roles of the member accounts; the template in templates/ creates them.
  read_role        = "${var.name}-read"
  remediation_role = "${var.name}-remediation"

  # The same here, with remediation.own_account; another name, as a stack set may reach this account.
  own_repair_role     = "${var.name}-own-repairs"
  own_repair_role_arn = "arn:${local.partition}:iam::${local.account_id}:role/${local.own_repair_role}"
}

check "packages" {
  assert {
    condition     = alltrue([for program in local.deployed : fileexists("${local.package_directory}/${program}.zip")])
    error_message = "packages are missing in ${local.package_directory}: run `make package` for ${var.architecture}, or set package_directory. Missing: ${join(", ", [for program in local.deployed : program if !fileexists("${local.package_directory}/${program}.zip")])}."
  }
}
