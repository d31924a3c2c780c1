# One key per class of data, so that who reads logs need not be able to read the lake.
locals {
  new_keys = toset([for class in ["data", "lake", "logs"] : class if var.kms_key_arns[class] == null])
  key_arns = { for class in ["data", "lake", "logs"] : class => var.kms_key_arns[class] == null ? aws_kms_key.this[class].arn : var.kms_key_arns[class] }

  of_this_account = { StringEquals = { "aws:SourceAccount" = local.account_id } }

  # Key policies apply to their own key alone: the resource must be written "*".
  key_statements = {
    data = [
      {
        Sid       = "Services"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "sns.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        Condition = local.of_this_account
      },
      {
        # EventBridge looks the key up without naming a source account when a bus or an archive is made.
        Sid       = "ServicesLookUp"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com"] }
        Action    = ["kms:DescribeKey"]
        Resource  = "*"
      },
    ]
    lake = []
    logs = [
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = ["logs.${local.region}.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/*/${var.name}*" } }
      },
    ]
  }
}

resource "aws_kms_key" "this" {
  for_each = local.new_keys

  description             = "${var.name}: ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
    ], local.key_statements[each.key])
  })
}

resource "aws_kms_alias" "this" {
  for_each = local.new_keys

  name          = "alias/${var.name}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
