# The stream and what hands its records to the detector.
resource "aws_kinesis_stream" "this" {
  count = local.owns_stream ? 1 : 0

  name             = var.name
  retention_period = var.stream.retention_hours
  shard_count      = var.stream.shard_count
  encryption_type  = "KMS"
  kms_key_id       = local.key_arns.data
  tags             = local.tags

  stream_mode_details {
    stream_mode = var.stream.mode
  }
}

# Every safety setting that keeps one bad batch from blocking a shard or from vanishing. Unset, Lambda would try for ever.
resource "aws_lambda_event_source_mapping" "detector" {
  event_source_arn                   = local.owns_stream ? aws_kinesis_stream.this[0].arn : var.ingestion.stream_arn
  function_name                      = module.function["detector"].arn
  starting_position                  = var.detector.starting_position
  batch_size                         = var.detector.batch_size
  maximum_batching_window_in_seconds = var.detector.batching_window_seconds
  parallelization_factor             = var.detector.parallelization_factor
  bisect_batch_on_function_error     = true
  function_response_types            = ["ReportBatchItemFailures"]
  maximum_retry_attempts             = var.detector.maximum_retry_attempts
  maximum_record_age_in_seconds      = var.detector.maximum_record_age_seconds
  tags                               = local.tags

  destination_config {
    on_failure {
      destination_arn = local.bucket_arns.failures
    }
  }

  metrics_config {
    metrics = ["EventCount"]
  }

  depends_on = [module.bucket]
}
