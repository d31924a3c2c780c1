# A stream that somebody else fills, on x86_64, with keys of one's own and rules that another pipeline publishes.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

module "iam_policy_monitor" {
  source = "../.."

  architecture = "x86_64"

  ingestion = {
    mode               = "existing_stream"
    stream_arn         = "arn:aws:kinesis:eu-central-1:123456789012:stream/cloudtrail"
    stream_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  # Of the stream; the record age must stay below it.
  stream = { retention_hours = 24 }

  detector = {
    maximum_record_age_seconds = 43200
    parallelization_factor     = 4
  }

  config = { upload = false }

  subscriptions = [{ topic = "alerts", endpoint = "security@example.com" }]
}
