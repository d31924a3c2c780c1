# What each program may do: the calls that its code makes, on what it makes them. No statement here names every action, and
# every resource "*" is one of star_resources; a test holds the module to both.
locals {
  # Statements whose resource must be "*", and why.
  star_resources = {
    PublishMetrics  = "cloudwatch:PutMetricData takes no resource; limited by namespace"
    ListOwnPolicies = "iam:ListPolicies takes no resource"
  }

  publish_metrics = {
    sid        = "PublishMetrics"
    actions    = ["cloudwatch:PutMetricData"]
    resources  = ["*"]
    conditions = { StringEquals = { "cloudwatch:namespace" = [var.metrics_namespace] } }
  }

  # Without ListBucket S3 answers 403, not 404, for what is not there, and a claim could not tell "free" from "forbidden".
  list_lake   = { sid = "ListLake", actions = ["s3:ListBucket"], resources = [local.bucket_arns.audit], conditions = null }
  list_config = { sid = "ListConfig", actions = ["s3:ListBucket"], resources = [local.bucket_arns.config], conditions = null }

  # Folders of the lake that a program creates objects in and reads back.
  lake_folders = {
    detector          = ["config/last-good", "dead-letters", "iam_events", "violations"]
    sns_publisher     = ["claims/sns_publisher", "dead-letters"]
    slack_handler     = ["claims/slack-closing", "claims/slack-events", "claims/slack-sealed", "claims/slack-windows", "claims/slack_handler", "dead-letters"]
    metrics_publisher = ["claims/metrics_publisher", "dead-letters", "dimensions"]
    audit_logger      = concat(["audit-oversize", "claims/audit_logger", "dead-letters"], local.uses_firehose ? [] : ["audit_log"])
    remediator        = ["baselines", "breaker", "claims", "dead-letters", "held", "remediation_logs", "returns", "snapshots", "told"]
  }
  # Of tables with a view, which shows each row once while a file and the merged one are both there.
  merged_folders = [for name, table in local.tables : table.folder if endswith(name, "_raw")]

  write_lake = { for program, folders in local.lake_folders : program => {
    sid        = "WriteLake"
    actions    = ["s3:GetObject", "s3:PutObject"]
    resources  = [for folder in folders : "${local.bucket_arns.audit}/${folder}/*"]
    conditions = null
  } }

  read_config = { for program, files in {
    detector      = ["rules.yaml", "suppress.yaml"]
    slack_handler = ["notification-config.yaml"]
    remediator    = ["remediator-config.json"]
    } : program => {
    sid        = "ReadConfig"
    actions    = ["s3:GetObject"]
    resources  = [for file in files : "${local.bucket_arns.config}/${file}"]
    conditions = null
  } }

  receive = { for program in local.consumers : program => {
    sid        = "Receive"
    actions    = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources  = [local.queue_arns[program]]
    conditions = null
  } }

  notification_topics = [local.topic_arns.alerts, local.topic_arns.priority]

  put_events = { sid = "PutEvents", actions = ["events:PutEvents"], resources = [local.bus_arn], conditions = null }

  policies_of_account = "arn:${local.partition}:iam::${local.account_id}:policy/*"

  statements = {
    detector = concat([
      {
        sid        = "ReadStream"
        actions    = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
        resources  = [local.stream_arn]
        conditions = null
      },
      {
        # The mapping stores batches that failed for good with this role.
        sid        = "StoreFailedBatches"
        actions    = ["s3:PutObject"]
        resources  = ["${local.bucket_arns.failures}/aws/lambda/*"]
        conditions = { StringEquals = { "s3:ResourceAccount" = [local.account_id] } }
      },
      {
        sid        = "ListFailedBatches"
        actions    = ["s3:ListBucket"]
        resources  = [local.bucket_arns.failures]
        conditions = { StringEquals = { "s3:ResourceAccount" = [local.account_id] } }
      },
      local.read_config.detector, local.list_config, local.write_lake.detector, local.list_lake, local.put_events, local.publish_metrics,
      {
        sid        = "DirectNotice"
        actions    = ["sns:Publish"]
        resources  = [local.topic_arns.alerts]
        conditions = null
      },
      {
        # Policies that events only name. AWS's own belong to the account "aws".
        sid        = "ReadPolicies"
        actions    = ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions"]
        resources  = [local.policies_of_account, "arn:${local.partition}:iam::aws:policy/*"]
        conditions = null
      },
      {
        sid        = "ListOwnPolicies"
        actions    = ["iam:ListPolicies"]
        resources  = ["*"]
        conditions = null
      },
      {
        sid     = "ReadPrincipals"
        actions = ["iam:GetGroupPolicy", "iam:GetRole", "iam:GetRolePolicy", "iam:GetUserPolicy"]
        resources = [
          "arn:${local.partition}:iam::${local.account_id}:group/*",
          "arn:${local.partition}:iam::${local.account_id}:role/*",
          "arn:${local.partition}:iam::${local.account_id}:user/*",
        ]
        conditions = null
      },
      ],
      var.organization.enabled ? [{
        sid        = "ReadMembers"
        actions    = ["sts:AssumeRole"]
        resources  = ["arn:${local.partition}:iam::*:role/${local.read_role}"]
        conditions = { StringEquals = { "aws:ResourceOrgID" = [var.organization.id] } }
      }] : [],
      var.remediation.deployed ? [{
        sid        = "DirectRepair"
        actions    = ["sqs:SendMessage"]
        resources  = [local.queue_arns.remediator]
        conditions = null
      }] : [],
    )

    sns_publisher = [
      local.write_lake.sns_publisher, local.list_lake, local.publish_metrics,
      { sid = "Publish", actions = ["sns:Publish"], resources = local.notification_topics, conditions = null },
    ]

    slack_handler = [
      local.write_lake.slack_handler, local.list_lake, local.publish_metrics, local.read_config.slack_handler, local.list_config,
      {
        # Members of a window that was told are removed.
        sid        = "CloseWindows"
        actions    = ["s3:DeleteObject"]
        resources  = ["${local.bucket_arns.audit}/claims/slack-windows/*"]
        conditions = null
      },
      {
        sid        = "ReadWebhook"
        actions    = ["ssm:GetParameter"]
        resources  = ["arn:${local.partition}:ssm:${local.region}:${local.account_id}:parameter${local.slack_parameter}"]
        conditions = null
      },
    ]

    # It makes new files of old ones. Versions stay: what it removes can be brought back for lake.noncurrent_days.
    compactor = [
      local.list_lake, local.publish_metrics,
      {
        sid        = "MergeFiles"
        actions    = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        resources  = [for folder in concat(local.merged_folders, ["compaction"]) : "${local.bucket_arns.audit}/${folder}/*"]
        conditions = null
      },
    ]

    metrics_publisher = [local.write_lake.metrics_publisher, local.list_lake, local.publish_metrics]

    audit_logger = concat(
      [local.write_lake.audit_logger, local.list_lake, local.publish_metrics],
      local.uses_firehose ? [{ sid = "PutRecords", actions = ["firehose:PutRecordBatch"], resources = [local.firehose_arn], conditions = null }] : [],
    )

    # It repairs in sessions of a role of each account, each limited to one call; in this account only if asked for.
    remediator = concat(
      [local.write_lake.remediator, local.list_lake, local.publish_metrics, local.read_config.remediator, local.list_config, local.put_events],
      [{
        # A slot of a budget that was taken and not used is given back.
        sid        = "GiveSlotsBack"
        actions    = ["s3:DeleteObject"]
        resources  = ["${local.bucket_arns.audit}/claims/*"]
        conditions = null
      }],
      var.remediation.deployed ? [{
        sid        = "DelayOwnMessages"
        actions    = ["sqs:SendMessage"]
        resources  = [local.queue_arns.remediator]
        conditions = null
      }] : [],
      var.remediation.own_account ? [{
        sid        = "RepairHere"
        actions    = ["sts:AssumeRole"]
        resources  = [local.own_repair_role_arn]
        conditions = null
      }] : [],
      var.organization.enabled && var.organization.remediation_roles ? [{
        sid        = "RepairMembers"
        actions    = ["sts:AssumeRole"]
        resources  = ["arn:${local.partition}:iam::*:role/${local.remediation_role}"]
        conditions = { StringEquals = { "aws:ResourceOrgID" = [var.organization.id] } }
      }] : [],
      var.organization.enabled ? [{
        # For organizational_units of remediator-config.json.
        sid        = "FindUnits"
        actions    = ["organizations:ListParents"]
        resources  = [for kind in ["account", "ou"] : "arn:${local.partition}:organizations::*:${kind}/${coalesce(var.organization.id, "none")}/*"]
        conditions = null
      }] : [],
    )
  }
}
