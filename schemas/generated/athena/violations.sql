CREATE OR REPLACE VIEW violations AS
SELECT
  violation_id,
  event_id,
  event_time,
  detected_at,
  rule_name,
  severity,
  description,
  action,
  suppressed,
  suppressed_by,
  event_source,
  event_name,
  event_kind,
  outcome,
  error_code,
  aws_region,
  account_id,
  principal_type,
  principal_arn,
  principal_name,
  principal_account_id,
  access_key_id,
  session_issuer_arn,
  invoked_by,
  mfa_authenticated,
  source_ip_address,
  user_agent,
  target_type,
  target_name,
  target_arn,
  policy_arn,
  policy_name,
  policy_document,
  certainty,
  evidence,
  evidence_detail,
  escalation_methods,
  new_access,
  witness_action,
  witness_resource,
  remediation_action,
  mitre,
  owner,
  request_parameters,
  resources,
  shard_id,
  sequence_number,
  original_event,
  year,
  month,
  day
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY year, month, day, violation_id
      ORDER BY detected_at, sequence_number, "$path"
    ) AS copy_number
  FROM violations_raw
) AS copies
WHERE copy_number = 1
