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

locals {
  firehose_statements = [
    {
      Sid      = "Deliver"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
      Resource = ["${local.bucket_arns.audit}/audit_log/*", "${local.bucket_arns.audit}/audit-log-errors/*"]
    },
    {
      Sid      = "ListLake"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Resource = [local.bucket_arns.audit]
    },
    {
      Sid    = "ReadTable"
      Effect = "Allow"
      Action = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]
      Resource = [
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:catalog",
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:database/${local.database}",
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:table/${local.database}/audit_log",
      ]
    },
    {
      Sid      = "OwnLog"
      Effect   = "Allow"
      Action   = ["logs:PutLogEvents"]
      Resource = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/kinesisfirehose/${local.firehose_name}:log-stream:*"]
    },
  ]
  firehose_policy = jsonencode({ Version = "2012-10-17", Statement = local.firehose_statements })
}

resource "aws_iam_role" "firehose" {
  count = local.uses_firehose ? 1 : 0

  name                 = local.firehose_name
  description          = "Firehose writes the audit log."
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "firehose" {
  count = local.uses_firehose ? 1 : 0

  name   = "work"
  role   = aws_iam_role.firehose[0].id
  policy = local.firehose_policy
}

resource "aws_iam_role_policy" "firehose_keys" {
  count = local.uses_firehose ? 1 : 0

  name = "keys"
  role = aws_iam_role.firehose[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Keys"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = distinct([local.key_arns.lake, local.key_arns.data])
    }]
  })
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
    role_arn            = aws_iam_role.firehose[0].arn
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
        role_arn      = aws_iam_role.firehose[0].arn
        database_name = aws_glue_catalog_database.this.name
        table_name    = aws_glue_catalog_table.this["audit_log"].name
        region        = local.region
      }
    }
  }

  depends_on = [aws_iam_role_policy.firehose, aws_iam_role_policy.firehose_keys, module.bucket]
}
