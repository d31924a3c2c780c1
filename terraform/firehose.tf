# The audit log: Firehose gathers bus events into Parquet of a good size. Firehose knows no zstd; Snappy is what it has that
# every reader takes. A record goes to the day of its own timestamp, not of its arrival, so a replay lands where it belongs.
resource "aws_cloudwatch_log_group" "firehose" {
  count = local.uses_firehose ? 1 : 0

  name              = "/aws/kinesisfirehose/${local.firehose_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key_arns.logs
  tags              = local.tags
}

resource "aws_cloudwatch_log_stream" "firehose" {
  count = length(aws_cloudwatch_log_group.firehose)

  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.firehose[0].name
}

module "firehose_role" {
  source = "./modules/role"
  count  = local.uses_firehose ? 1 : 0

  name                     = local.firehose_name
  description              = "Firehose writes the audit log."
  service                  = "firehose.amazonaws.com"
  trust_conditions         = { StringEquals = { "sts:ExternalId" = [local.account_id] } }
  statements               = local.firehose_statements
  key_arns                 = [local.key_arns.lake, local.key_arns.data]
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags
}

locals {
  firehose_statements = [
    {
      sid       = "Deliver"
      actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
      resources = ["${local.bucket_arns.audit}/audit_log/*", "${local.bucket_arns.audit}/audit-log-errors/*"]
    },
    {
      sid       = "ListLake"
      actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
      resources = [local.bucket_arns.audit]
    },
    {
      sid     = "ReadTable"
      actions = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]
      resources = [
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:catalog",
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:database/${local.database}",
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:table/${local.database}/audit_log",
      ]
    },
    {
      sid       = "OwnLog"
      actions   = ["logs:PutLogEvents"]
      resources = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/kinesisfirehose/${local.firehose_name}:log-stream:*"]
    },
  ]
}

resource "aws_kinesis_firehose_delivery_stream" "audit_log" {
  count = local.uses_firehose ? 1 : 0

  name        = local.firehose_name
  destination = "extended_s3"
  tags        = local.tags

  server_side_encryption {
    enabled  = true
    key_type = "CUSTOMER_MANAGED_CMK"
    key_arn  = local.key_arns.data
  }

  extended_s3_configuration {
    role_arn            = module.firehose_role[0].arn
    bucket_arn          = local.bucket_arns.audit
    prefix              = "audit_log/year=!{partitionKeyFromQuery:year}/month=!{partitionKeyFromQuery:month}/day=!{partitionKeyFromQuery:day}/"
    error_output_prefix = "audit-log-errors/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/"
    buffering_size      = var.lake.firehose_buffer_mb
    buffering_interval  = var.lake.firehose_buffer_sec
    compression_format  = "UNCOMPRESSED" # the Parquet inside is compressed
    kms_key_arn         = local.key_arns.lake

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose[0].name
      log_stream_name = aws_cloudwatch_log_stream.firehose[0].name
    }

    dynamic_partitioning_configuration {
      enabled        = true
      retry_duration = 300
    }

    processing_configuration {
      enabled = true

      processors {
        type = "MetadataExtraction"

        parameters {
          parameter_name  = "JsonParsingEngine"
          parameter_value = "JQ-1.6"
        }

        parameters {
          parameter_name  = "MetadataExtractionQuery"
          parameter_value = "{year:.timestamp[0:4],month:.timestamp[5:7],day:.timestamp[8:10]}"
        }
      }
    }

    data_format_conversion_configuration {
      input_format_configuration {
        deserializer {
          # Reads 2024-01-01T12:00:00Z and 2024-01-01T12:00:00.123Z, the two forms that audit_logger writes.
          open_x_json_ser_de {}
        }
      }

      output_format_configuration {
        serializer {
          parquet_ser_de {
            compression = "SNAPPY"
          }
        }
      }

      schema_configuration {
        role_arn      = module.firehose_role[0].arn
        database_name = aws_glue_catalog_database.this.name
        table_name    = aws_glue_catalog_table.this["audit_log"].name
        region        = local.region
      }
    }
  }

  depends_on = [module.bucket]
}
