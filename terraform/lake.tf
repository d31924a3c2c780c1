# Buckets: the lake, the configuration, batches that failed for good, query results, access logs.
locals {
  noncurrent = { id = "former-versions", noncurrent_days = var.lake.noncurrent_days }

  lifecycle_rules = {
    audit = concat(
      [local.noncurrent],
      [for table in local.tables : { id = "archive-${replace(table.folder, "_", "-")}", prefix = "${table.folder}/", transition_days = var.lake.archive_after_days }],
      [
        { id = "claims", prefix = "claims/", expiration_days = var.lake.claims_days, noncurrent_days = 1 },
        { id = "dead-letters", prefix = "dead-letters/", expiration_days = var.lake.dead_letter_days },
        { id = "audit-log-errors", prefix = "audit-log-errors/", expiration_days = var.lake.dead_letter_days },
      ],
    )
    config   = [local.noncurrent]
    failures = [local.noncurrent, { id = "failed-batches", expiration_days = var.lake.dead_letter_days }]
    results  = [{ id = "results", expiration_days = var.athena.results_days, noncurrent_days = 1 }]
    logs     = [{ id = "access-logs", expiration_days = var.lake.dead_letter_days, noncurrent_days = 1 }]
  }
}

module "bucket" {
  source   = "./modules/bucket"
  for_each = { for kind, bucket in local.buckets : kind => bucket if kind != "logs" }

  bucket          = each.value
  arn             = local.bucket_arns[each.key]
  kms_key_arn     = local.key_arns.lake
  log_bucket      = local.buckets.logs
  lifecycle_rules = local.lifecycle_rules[each.key]
  object_lock     = each.key == "audit" && var.lake.object_lock_mode != "NONE" ? { mode = var.lake.object_lock_mode, days = var.lake.object_lock_days } : null
  force_destroy   = var.lake.force_destroy
  tags            = local.tags

  depends_on = [module.log_bucket]
}

module "log_bucket" {
  source = "./modules/bucket"

  bucket          = local.buckets.logs
  arn             = local.bucket_arns.logs
  lifecycle_rules = local.lifecycle_rules.logs
  force_destroy   = var.lake.force_destroy
  tags            = local.tags

  statements = [{
    Sid       = "AccessLogs"
    Effect    = "Allow"
    Principal = { Service = "logging.s3.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = "${local.bucket_arns.logs}/*"
    Condition = {
      StringEquals = { "aws:SourceAccount" = local.account_id }
      ArnLike      = { "aws:SourceArn" = [for kind, arn in local.bucket_arns : arn if kind != "logs"] }
    }
  }]
}

# The configuration that ships, or yours. With config.upload = false another pipeline puts the files there.
locals {
  config_files = { for file in ["rules.yaml", "suppress.yaml", "notification-config.yaml", "remediator-config.json"] : file => "${local.config_directory}/${file}" }
  rules        = { for rule in try(yamldecode(file(local.config_files["rules.yaml"])).rules, []) : rule.name => rule.severity... }
  rate_limits  = try(jsondecode(file(local.config_files["remediator-config.json"])).rate_limits, {})
}

resource "aws_s3_object" "config" {
  for_each = { for file, path in local.config_files : file => path if var.config.upload }

  bucket                 = module.bucket["config"].id
  key                    = each.key
  source                 = each.value
  source_hash            = filesha256(each.value)
  content_type           = endswith(each.key, ".json") ? "application/json" : "application/yaml"
  server_side_encryption = "aws:kms"
  kms_key_id             = local.key_arns.lake
  bucket_key_enabled     = true
  tags                   = local.tags

  lifecycle {
    precondition {
      condition     = each.key != "remediator-config.json" || (try(local.rate_limits.actions_per_minute, 5) >= 1 && try(local.rate_limits.actions_per_hour, 50) >= 1)
      error_message = "rate_limits of remediator-config.json must be at least 1. A budget of zero stops every repair; to stop repairs, set remediation.enabled = false instead."
    }
  }
}
