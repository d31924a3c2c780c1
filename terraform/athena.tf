# The workgroup that analysts use: results encrypted and short-lived, a limit on what a query scans, queries to begin with.
resource "aws_athena_workgroup" "this" {
  name          = var.name
  description   = "Queries of the audit lake."
  force_destroy = var.lake.force_destroy
  tags          = local.tags

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.athena.scan_limit_bytes

    # The version whose SQL the views are written in.
    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${module.bucket["results"].id}/results/"
      expected_bucket_owner = local.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = local.key_arns.lake
      }
    }
  }
}

# Each file of queries/ with its first line as the description.
resource "aws_athena_named_query" "this" {
  for_each = fileset("${path.module}/queries", "*.sql")

  name        = replace(trimsuffix(each.value, ".sql"), "_", " ")
  description = trimprefix(split("\n", file("${path.module}/queries/${each.value}"))[0], "-- ")
  workgroup   = aws_athena_workgroup.this.name
  database    = aws_glue_catalog_database.this.name
  query       = file("${path.module}/queries/${each.value}")
}
