CREATE EXTERNAL TABLE IF NOT EXISTS iam_events_raw (
  event_id string COMMENT 'eventID of the CloudTrail event, derived from its content when absent',
  event_time timestamp COMMENT 'eventTime of the CloudTrail event, UTC',
  account_id string COMMENT 'Account the event was delivered to',
  aws_region string COMMENT 'Region that handled the call',
  event_source string COMMENT 'Service that was called',
  event_name string COMMENT 'API call',
  principal_arn string COMMENT 'ARN of the caller',
  error_code string COMMENT 'errorCode of a failed call',
  event string COMMENT 'The CloudTrail event, secrets removed'
)
COMMENT 'One row for each CloudTrail event the detector judged'
PARTITIONED BY (year string, month string, day string)
STORED AS PARQUET
LOCATION 's3://${bucket}/iam_events/'
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
  'storage.location.template' = 's3://${bucket}/iam_events/year=${year}/month=${month}/day=${day}/'
)
