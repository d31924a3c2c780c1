# A role of one service, with exactly the statements given and the keys it may use.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
}

variable "name" {
  description = "Name of the role."
  type        = string
}

variable "description" {
  description = "What it is for, in one sentence."
  type        = string
}

variable "service" {
  description = "The service that assumes it, such as lambda.amazonaws.com."
  type        = string
}

variable "trust_conditions" {
  description = "On whose behalf: conditions of the trust policy."
  type        = map(map(list(string)))
  default     = {}
}

variable "statements" {
  description = "What it may do, and what it must never do."
  type = list(object({
    sid        = string
    effect     = optional(string, "Allow")
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(list(string))))
  }))
}

variable "key_arns" {
  description = "Keys that it may use."
  type        = list(string)
}

variable "key_actions" {
  description = "What it does with them."
  type        = list(string)
  default     = ["kms:Decrypt", "kms:GenerateDataKey"]
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

locals {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in var.statements : {
      for key, value in {
        Sid       = statement.sid
        Effect    = statement.effect
        Action    = statement.actions
        Resource  = statement.resources
        Condition = statement.conditions
      } : key => value if value != null
    }]
  })
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = var.description
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      { Effect = "Allow", Principal = { Service = var.service }, Action = "sts:AssumeRole" },
      { for key, value in { Condition = var.trust_conditions } : key => value if length(value) > 0 },
    )]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "work"
  role   = aws_iam_role.this.id
  policy = local.policy
}

# Apart from the rest because ids of keys are only known once they exist.
resource "aws_iam_role_policy" "keys" {
  name = "keys"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Keys"
      Effect   = "Allow"
      Action   = var.key_actions
      Resource = distinct(var.key_arns)
    }]
  })
}

output "arn" {
  description = "ARN, known once the role may do its work."
  value       = aws_iam_role.this.arn

  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.keys]
}

output "policy" {
  description = "What it may do, keys aside."
  value       = local.policy
}
