# A security account watches an organization: members forward their events and give a read role, by a stack set that also
# reaches accounts that join later. Slack, and a priority topic for pagers. Repairs: deployed, but dry.
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

variable "organization_id" {
  description = "The organization."
  type        = string
  default     = "o-exampleorgid"
}

variable "unit_ids" {
  description = "Organizational units, or the root, whose accounts are watched."
  type        = list(string)
  default     = ["r-exam"]
}

variable "external_id" {
  description = "External id of the member roles; make one up and keep it."
  type        = string
  default     = "replace-this-external-id"
}

module "iam_policy_monitor" {
  source = "../.."

  organization = {
    enabled           = true
    id                = var.organization_id
    unit_ids          = var.unit_ids
    external_id       = var.external_id
    remediation_roles = true
  }

  subscriptions = [
    { topic = "alerts", endpoint = "security@example.com" },
    { topic = "priority", protocol = "https", endpoint = "https://events.example.com/pager" },
    { topic = "operations", endpoint = "platform@example.com" },
  ]

  notifications = {
    sns_message_structure = "json"
    slack                 = { enabled = true }
  }

  # The second step of the roll-out: repairs are planned, logged and told, and none is made; the roles can only look.
  remediation = {
    deployed        = true
    enabled         = true
    allowed_actions = ["detach_policy", "delete_inline_policy"]
  }

  lake = {
    object_lock_mode = "GOVERNANCE"
    object_lock_days = 365
  }

  stream = {
    retention_hours = 168
  }
}

output "slack_webhook_parameter" {
  value = module.iam_policy_monitor.slack_webhook_parameter
}
