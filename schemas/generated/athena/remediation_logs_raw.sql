CREATE EXTERNAL TABLE IF NOT EXISTS remediation_logs_raw (
  remediation_id string COMMENT 'UUIDv5 of violation, action and attempt',
  violation_id string COMMENT 'Violation that asked for the repair',
  event_id string COMMENT 'eventID of the CloudTrail event',
  `timestamp` timestamp COMMENT 'When the attempt ended, UTC',
  event_time timestamp COMMENT 'eventTime of the CloudTrail event, UTC',
  remediation_action string COMMENT 'Repair asked for, such as detach_policy',
  success boolean COMMENT 'True for SUCCESS, DRY_RUN and UNDONE',
  status string COMMENT 'SUCCESS, FAILED, SKIPPED, DRY_RUN or UNDONE',
  reason string COMMENT 'Why nothing was changed',
  error string COMMENT 'What failed',
  dry_run boolean COMMENT 'True when the attempt only said what it would do',
  rule_name string COMMENT 'Detection rule that matched',
  severity string COMMENT 'LOW, MEDIUM, HIGH or CRITICAL',
  account_id string COMMENT 'Account of the target',
  principal_arn string COMMENT 'ARN of the caller of the original event',
  target_type string COMMENT 'Type of what was repaired',
  target_name string COMMENT 'Name of what was repaired',
  target_arn string COMMENT 'ARN of what was repaired',
  policy_arn string COMMENT 'ARN of the policy involved',
  policy_name string COMMENT 'Name of the policy involved',
  details string COMMENT 'Steps taken, as data',
  snapshot_key string COMMENT 'Object that holds the state before the change',
  duration_ms bigint COMMENT 'Time the attempt took, milliseconds',
  attempt int COMMENT '1 for the first attempt'
)
COMMENT 'One row for each attempt of the remediator, whatever came of it'
PARTITIONED BY (year string, month string, day string)
STORED AS PARQUET
LOCATION 's3://${bucket}/remediation_logs/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2013,2049',
  'projection.year.digits' = '4',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'projection.month.digits' = '2',
  'projection.day.type' = 'integer',
  'projection.day.range' = '1,31',
  'projection.day.digits' = '2',
  'storage.location.template' = 's3://${bucket}/remediation_logs/year=${year}/month=${month}/day=${day}/'
)
