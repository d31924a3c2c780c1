# Member accounts: one stack per account, also in accounts that join later. Roles are global, so one region is enough; it is
# the one where IAM's events are, for the forwarding rule.
locals {
  stack_region = { aws = "us-east-1", aws-us-gov = "us-gov-west-1", aws-cn = "cn-north-1" }[local.partition]

  member_template = file("${path.module}/templates/member-roles.yaml")

  # In a dry run the remediator looks at what it would change, and its roles allow no more than that.
  allows = { for action in keys(local.repairs) : action => tostring(!var.remediation.dry_run && contains(var.remediation.allowed_actions, action)) }

  member_parameters = merge(
    {
      OrganizationId     = coalesce(var.organization.id, "none")
      ExternalId         = coalesce(var.organization.external_id, "none")
      ReadRoleName       = local.read_role
      DetectorRoleArn    = "arn:${local.partition}:iam::${local.account_id}:role/${local.function_names.detector}"
      RemediationRole    = tostring(var.organization.remediation_roles)
      RemediationName    = local.remediation_role
      RemediatorRoleArn  = local.remediator_role_arn
      ForwardEventsToBus = local.by_events ? local.ingest_bus_arn : ""
      ForwardName        = "${var.name}-forward"
    },
    { for action, allowed in local.allows : "Allow${join("", [for word in split("_", action) : title(word)])}" => allowed },
  )
}

resource "aws_cloudformation_stack_set" "members" {
  count = var.organization.enabled ? 1 : 0

  name             = "${var.name}-member"
  description      = "Roles of ${var.name} in member accounts."
  permission_model = "SERVICE_MANAGED"
  call_as          = var.organization.call_as
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  template_body    = local.member_template
  parameters       = local.member_parameters
  tags             = local.tags

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  managed_execution {
    active = true
  }

  operation_preferences {
    failure_tolerance_percentage = 10
    max_concurrent_percentage    = 25
  }

  lifecycle {
    # AWS fills it in for service-managed stack sets.
    ignore_changes = [administration_role_arn]

    precondition {
      condition     = !var.organization.remediation_roles || var.remediation.deployed
      error_message = "organization.remediation_roles needs remediation.deployed: a role that may change IAM should not wait for a remediator that does not exist."
    }
  }

  # The trust policies name these roles, which must exist by then.
  depends_on = [module.function]
}

resource "aws_cloudformation_stack_instances" "members" {
  count = length(aws_cloudformation_stack_set.members)

  stack_set_name = aws_cloudformation_stack_set.members[0].name
  call_as        = var.organization.call_as
  regions        = [local.stack_region]

  deployment_targets {
    organizational_unit_ids = var.organization.unit_ids
    # This account watches itself without a stack; a second forwarding rule would only deliver everything twice.
    account_filter_type = "DIFFERENCE"
    accounts            = distinct(concat([local.account_id], var.organization.excluded_account_ids))
  }

  operation_preferences {
    failure_tolerance_percentage = 10
    max_concurrent_percentage    = 25
  }
}
