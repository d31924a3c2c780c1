CREATE EXTERNAL TABLE IF NOT EXISTS audit_log (
  event_id string COMMENT 'eventId of the bus event',
  `timestamp` timestamp COMMENT 'timestamp of the bus event, UTC',
  source string COMMENT 'source of the bus event',
  detail_type string COMMENT 'detail-type of the bus event',
  correlation_id string COMMENT 'eventID of the CloudTrail event',
  rule_name string COMMENT 'Detection rule that matched',
  severity string COMMENT 'LOW, MEDIUM, HIGH or CRITICAL',
  status string COMMENT 'Status of a remediation',
  account_id string COMMENT 'Account of the event',
  detail string COMMENT 'detail of the bus event'
)
COMMENT 'One row for each event on the bus'
PARTITIONED BY (year string, month string, day string)
STORED AS PARQUET
LOCATION 's3://${bucket}/audit_log/'
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
  'storage.location.template' = 's3://${bucket}/audit_log/year=${year}/month=${month}/day=${day}/'
)
