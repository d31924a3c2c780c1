# What repairs need. In member accounts the remediation role of templates/member-roles.yaml has it; with
# remediation.own_account a role here has the same. A test compares the two.
locals {
  detach = { actions = ["iam:DetachGroupPolicy", "iam:DetachRolePolicy", "iam:DetachUserPolicy"], kinds = ["group", "role", "user"] }

  repairs = {
    detach_policy = [local.detach]
    delete_policy = [local.detach, { actions = ["iam:DeletePolicy", "iam:DeletePolicyVersion"], kinds = ["policy"] }]
    delete_inline_policy = [
      { actions = ["iam:DeleteGroupPolicy", "iam:DeleteRolePolicy", "iam:DeleteUserPolicy"], kinds = ["group", "role", "user"] },
    ]
    quarantine_policy = [
      local.detach,
      { actions = ["iam:CreatePolicy", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:TagPolicy"], kinds = ["policy"] },
    ]
    revert_policy_version = [{ actions = ["iam:SetDefaultPolicyVersion"], kinds = ["policy"] }]
    restore_trust_policy  = [{ actions = ["iam:UpdateAssumeRolePolicy"], kinds = ["role"] }]
    restore_boundary = [
      { actions = ["iam:PutRolePermissionsBoundary"], kinds = ["role"] },
      { actions = ["iam:PutUserPermissionsBoundary"], kinds = ["user"] },
    ]
    deactivate_access_key = [{ actions = ["iam:UpdateAccessKey"], kinds = ["user"] }]
    remove_from_group     = [{ actions = ["iam:RemoveUserFromGroup"], kinds = ["group"] }]
  }

  # Everything that a snapshot holds.
  looks = [
    "iam:GetGroup", "iam:GetGroupPolicy", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:GetUser",
    "iam:GetUserPolicy", "iam:ListAccessKeys", "iam:ListAttachedGroupPolicies", "iam:ListAttachedRolePolicies",
    "iam:ListAttachedUserPolicies", "iam:ListEntitiesForPolicy", "iam:ListGroupsForUser", "iam:ListPolicyTags",
    "iam:ListPolicyVersions", "iam:ListRoleTags", "iam:ListUserTags",
  ]

  own_iam = "arn:${local.partition}:iam::${local.account_id}"

  # The last word, whatever else the role may do: this module's own roles, and those that belong to AWS.
  never_touch = {
    sid    = "NeverTouch"
    effect = "Deny"
    actions = [
      "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Set*", "iam:Tag*", "iam:Untag*", "iam:Update*",
    ]
    resources = [
      "${local.own_iam}:role/${var.name}-*",
      "${local.own_iam}:role/aws-reserved/*",
      "${local.own_iam}:role/aws-service-role/*",
      "${local.own_iam}:role/OrganizationAccountAccessRole",
    ]
  }

  repairs_here = concat(
    [{
      sid       = "Look"
      effect    = "Allow"
      actions   = local.looks
      resources = [for kind in ["group", "policy", "role", "user"] : "${local.own_iam}:${kind}/*"]
    }],
    flatten([for action, needs in local.repairs : [for place, need in needs : {
      sid       = "${join("", [for word in split("_", action) : title(word)])}${place == 0 ? "" : "Itself"}"
      effect    = "Allow"
      actions   = need.actions
      resources = [for kind in need.kinds : "${local.own_iam}:${kind}/*"]
    }] if local.allows[action] == "true"]),
    [local.never_touch],
  )
}

# Never used as it is: the remediator takes a session of it for each call, with a policy for that call alone.
resource "aws_iam_role" "own_repairs" {
  count = var.remediation.own_account ? 1 : 0

  name                 = local.own_repair_role
  description          = "The remediator of IAM Policy Monitor repairs in this account."
  permissions_boundary = var.permissions_boundary_arn
  max_session_duration = 3600
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = local.remediator_role_arn }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:PrincipalArn" = local.remediator_role_arn } }
    }]
  })

  # The role that is trusted must exist by then.
  depends_on = [module.function]
}

resource "aws_iam_role_policy" "own_repairs" {
  count = length(aws_iam_role.own_repairs)

  name   = "repairs"
  role   = aws_iam_role.own_repairs[0].id
  policy = local.own_repair_policy
}

locals {
  remediator_role_arn = "arn:${local.partition}:iam::${local.account_id}:role/${local.function_names.remediator}"

  own_repair_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in local.repairs_here : {
      Sid      = statement.sid
      Effect   = statement.effect
      Action   = statement.actions
      Resource = statement.resources
    }]
  })
}

# The breaker has no metric of its own: it opens seldom, and whoever closes it does so by hand.
resource "aws_cloudwatch_log_metric_filter" "breaker" {
  count = var.remediation.deployed ? 1 : 0

  name           = "${var.name}-breaker"
  log_group_name = "/aws/lambda/${local.function_names.remediator}"
  pattern        = "\"circuit breaker opened\""

  metric_transformation {
    name      = "RemediationBreakerOpened"
    namespace = var.metrics_namespace
    value     = "1"
  }

  depends_on = [module.function]
}
