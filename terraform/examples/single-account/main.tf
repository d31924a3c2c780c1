# One account watches itself: EventBridge to Kinesis, alerts by e-mail. Deploy in us-east-1, where IAM's events are.
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
  region = "us-east-1"
}

variable "email" {
  description = "Who hears of violations and of alarms."
  type        = string
  default     = "security@example.com"
}

module "iam_policy_monitor" {
  source = "../.."

  subscriptions = [
    { topic = "alerts", endpoint = var.email },
    { topic = "operations", endpoint = var.email },
  ]

  # A quiet account may go for hours without a change.
  alarms = { quiet_minutes = 1440 }
}

output "dashboard" {
  value = module.iam_policy_monitor.dashboard_url
}

output "audit_bucket" {
  value = module.iam_policy_monitor.audit_bucket
}
