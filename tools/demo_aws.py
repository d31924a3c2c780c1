"""Runs the whole pipeline on this machine, against MiniStack in place of AWS, and prints what arrived where.

producer -> Kinesis -> event source mapping -> detector (the real program, as a Lambda) -> S3 (Parquet) and EventBridge
         -> SQS queue, and -> sns_publisher (the real program) -> SNS topic

Everything but the two programs is somebody else's code. usage: demo_aws.py FOLDER_OF_PROGRAMS
"""
import base64
import contextlib
import gzip
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
import duckdb
import pyarrow.parquet as pq

ACCOUNT, REGION, MEMBER = "111111111111", "us-east-1", "222222222222"
HERE = pathlib.Path(__file__).resolve().parent
MINISTACK = os.environ.get("MINISTACK_BIN") or str(pathlib.Path(sys.executable).parent / "ministack")
ADMIN = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
ANYBODY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}'
WAIT_SECONDS = 90


@contextlib.contextmanager
def stand_in():
    """MiniStack on a free port, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        clean = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, "GATEWAY_PORT": str(port),
                 "BIND_HOST": "127.0.0.1", "MINISTACK_ACCOUNT_ID": ACCOUNT, "AWS_ENDPOINT_URL": url}
        with open(os.path.join(folder, "log"), "wb") as log:
            server = subprocess.Popen([MINISTACK], env=clean, stdout=log, stderr=log)
        try:
            wait_for("MiniStack", lambda: healthy(url, server))
            yield url
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()


def healthy(url, server):
    if server.poll() is not None:
        sys.exit(f"{MINISTACK} ended: run `make test` once, which installs it")
    try:
        return urllib.request.urlopen(url + "/_ministack/health", timeout=1).status == 200
    except OSError:
        return False


def wait_for(what, done):
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > WAIT_SECONDS:
            sys.exit(f"waited {WAIT_SECONDS} s in vain for {what}")
        time.sleep(0.1)


def client(url, service, account=ACCOUNT):
    settings = boto3.session.Config(s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=url, region_name=REGION, aws_access_key_id=account,
                        aws_secret_access_key="none", config=settings)


def deploy(aws, name, program, variables):
    """A Lambda function of a program, its package in S3 as Terraform leaves it."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, pathlib.Path(program).read_bytes())
    aws["s3"].put_object(Bucket="packages", Key=f"{name}.zip", Body=package.getvalue())
    aws["lambda"].create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        Code={"S3Bucket": "packages", "S3Key": f"{name}.zip"}, Timeout=60, MemorySize=256,
        Environment={"Variables": variables})
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def set_up(url, programs):
    names = ["s3", "kinesis", "events", "sqs", "sns", "lambda", "cloudwatch", "iam"]
    aws = {name: client(url, name) for name in names}
    for bucket in ["config", "audit", "packages"]:
        aws["s3"].create_bucket(Bucket=bucket)
    for file in ["rules.yaml", "suppress.yaml"]:
        aws["s3"].put_object(Bucket="config", Key=file, Body=(HERE.parent / "config" / file).read_bytes())
    aws["events"].create_event_bus(Name="security")
    queues = {name: aws["sqs"].create_queue(QueueName=name)["QueueUrl"] for name in ["bus-entries", "mail"]}
    topic = aws["sns"].create_topic(Name="alerts")["TopicArn"]
    aws["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:mail")
    common = {"AUDIT_BUCKET": "audit", "AWS_ENDPOINT_URL": url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCOUNT,
              "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}
    deploy(aws, "detector", programs / "detector",
           common | {"RULES_BUCKET": "config", "EVENTBRIDGE_BUS_NAME": "security", "READ_ROLE_NAME": "monitor-read"})
    publisher = deploy(aws, "sns_publisher", programs / "sns_publisher", common | {"SNS_TOPIC_ARN": topic})
    targets = {"queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:bus-entries", "publisher": publisher}
    for name, arn in targets.items():
        pattern = json.dumps({"source": ["iam.policy.monitor"]})
        aws["events"].put_rule(Name=name, EventBusName="security", EventPattern=pattern)
        aws["events"].put_targets(Rule=name, EventBusName="security", Targets=[{"Id": name, "Arn": arn}])
    aws["kinesis"].create_stream(StreamName="cloudtrail", ShardCount=1)
    wait_for("the stream", lambda: aws["kinesis"].describe_stream_summary(StreamName="cloudtrail")[
        "StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    aws["lambda"].create_event_source_mapping(
        FunctionName="detector", StartingPosition="TRIM_HORIZON", BatchSize=100,
        EventSourceArn=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/cloudtrail")
    return aws, queues


def event(number, name, parameters, account=ACCOUNT, **more):
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/alice", "accountId": account, "userName": "alice"}
    return {"eventVersion": "1.10", "userIdentity": identity, "eventTime": "2024-01-05T12:00:00Z",
            "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": REGION, "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2.15.0", "requestParameters": parameters, "responseElements": None,
            "eventID": f"00000000-0000-4000-8000-{number:012}", "eventType": "AwsApiCall",
            "recipientAccountId": account, "eventCategory": "Management"} | more


def produce(aws, url):
    """One record in each envelope; returns what was sent, for the reader."""
    hidden = client(url, "iam", MEMBER).create_policy(PolicyName="from-member", PolicyDocument=ADMIN)["Policy"]["Arn"]
    omitted = {"omitted": True, "originalSize": 110000, "reason": "requestParameters too large"}
    inline = event(1, "PutUserPolicy", {"userName": "bob", "policyName": "all", "policyDocument": ADMIN})
    trust = event(2, "UpdateAssumeRolePolicy", {"roleName": "deploy", "policyDocument": ANYBODY})
    attach = event(3, "AttachRolePolicy", {"roleName": "app", "policyArn": hidden}, MEMBER)
    left_out = event(4, "PutRolePolicy", omitted)
    read = event(5, "ListUsers", None, readOnly=True)
    bridge = {"version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
              "account": ACCOUNT, "time": "2024-01-05T12:00:00Z", "region": REGION, "resources": [], "detail": trust}
    logs = {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "trail", "logStream": "1",
            "subscriptionFilters": ["all"],
            "logEvents": [{"id": "1", "timestamp": 1, "message": json.dumps(item)} for item in [attach, read]]}
    sent = [
        ("a bare record: PutUserPolicy, everything allowed", json.dumps(inline).encode()),
        ("EventBridge: UpdateAssumeRolePolicy, anybody may assume the role", json.dumps(bridge).encode()),
        ("CloudWatch Logs, gzip: AttachRolePolicy in a member account (its text is in IAM there), ListUsers",
         gzip.compress(json.dumps(logs).encode())),
        ("S3 log file, gzip: PutRolePolicy whose policy CloudTrail left out",
         gzip.compress(json.dumps({"Records": [left_out]}).encode())),
        ("damaged: half a record", json.dumps(inline).encode()[:200]),
    ]
    aws["kinesis"].put_records(
        StreamName="cloudtrail", Records=[{"Data": data, "PartitionKey": str(n)} for n, (_, data) in enumerate(sent)])
    return [what for what, _ in sent]


def take(sqs, queue):
    bodies = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def keys(s3, prefix):
    return [item["Key"] for item in s3.list_objects_v2(Bucket="audit", Prefix=prefix).get("Contents", [])]


def show_lake(s3):
    with tempfile.TemporaryDirectory() as folder:
        for key in keys(s3, "violations/"):
            path = pathlib.Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket="audit", Key=key)["Body"].read())
            print(f"   s3://audit/{key}  {pq.read_metadata(path).num_rows} rows")
        query = ("SELECT severity, rule_name, account_id, evidence FROM read_parquet(?, hive_partitioning = true) "
                 "WHERE year = '2024' AND month = '01' ORDER BY event_id, rule_name")
        for severity, rule, account, evidence in duckdb.execute(query, [folder + "/violations/**/*.parquet"]).fetchall():
            print(f"   {severity:8} {rule:32} {account}  {evidence[:100]}")


def show(aws, queues, entries):
    s3 = aws["s3"]
    print("\nThe lake (read with pyarrow and DuckDB):")
    show_lake(s3)
    print("\nDead letters:")
    for key in keys(s3, "dead-letters/"):
        letter = json.loads(s3.get_object(Bucket="audit", Key=key)["Body"].read())
        raw = len(base64.b64decode(letter["rawData"]))
        print(f"   {letter['lastErrorCode']}: {letter['lastErrorMessage'][:80]} ({raw} bytes kept, comes back with `replay`)")
    print("\nThe bus, through a route to SQS:")
    for entry in entries:
        violation = entry["detail"].get("violation", {})
        print(f"   {entry['detail-type']}: {violation.get('severity')} {violation.get('rule_name')}, "
              f"action {violation.get('action')}, repair {violation.get('remediation_action')}")
    print("\nMail, from sns_publisher through SNS:")
    mail = []
    with contextlib.suppress(SystemExit):
        wait_for("mail", lambda: mail.extend(take(aws["sqs"], queues["mail"])) or mail)
        time.sleep(1)
        mail.extend(take(aws["sqs"], queues["mail"]))
    for message in mail:
        print(f"   {message.get('Subject')}")
    print("\nMetrics in CloudWatch (names with a value):")
    found = aws["cloudwatch"].list_metrics(Namespace="IAMPolicyMonitor")["Metrics"]
    print("   " + ", ".join(sorted({metric["MetricName"] for metric in found})))


def main(programs):
    begun = time.monotonic()
    with stand_in() as url:
        aws, queues = set_up(url, programs)
        print(f"MiniStack at {url}: stream, mapping, detector, bus, lake, topic ready ({time.monotonic() - begun:.1f} s)\n")
        put = time.monotonic()
        print("Put into the stream:")
        for what in produce(aws, url):
            print(f"   {what}")
        entries = []
        wait_for("the bus", lambda: entries.extend(take(aws["sqs"], queues["bus-entries"])) or len(entries) >= 3)
        print(f"\nOn the bus after {time.monotonic() - put:.2f} s")
        time.sleep(1)
        entries.extend(take(aws["sqs"], queues["bus-entries"]))
        show(aws, queues, entries)


main(pathlib.Path(sys.argv[1]))
