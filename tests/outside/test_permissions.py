"""The programs, as Lambdas, with exactly the rights that Terraform gives them, against a stand-in that enforces IAM. What a
program needs and its role has not would fail here; a role without one of its statements must fail. (The stand-in lets everybody
publish metrics, and has no keys, so those two statements are not tried here.)"""
import base64, datetime, http.server, json, os, pathlib, socket, subprocess, sys, threading, time, uuid

import boto3
import pytest
from botocore.config import Config

from conftest import BIN, ROOT

ACCOUNT, REGION = "123456789012", "us-east-1"
RENDERED = json.loads((ROOT / "terraform/generated/rendered.json").read_text())["variants"]["everything"]
READY_SECONDS, RUN_SECONDS = 60, 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Aws:
    """MiniStack with AUTH=true. The account's own key may do everything."""

    def __init__(self, folder):
        self.endpoint = f"http://127.0.0.1:{(port := free_port())}"
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AUTH": "true"}
        self.process = subprocess.Popen([pathlib.Path(sys.executable).parent / "ministack"], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                self.client("sts").get_caller_identity()
                return
            except Exception:
                time.sleep(0.2)
        raise RuntimeError("MiniStack did not start")

    def client(self, service, key=ACCOUNT, secret="root", token=None):
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=20)
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, config=config)

    def role(self, name, policy):
        """Credentials of a new role with this policy."""
        iam = self.client("iam")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        # IAM knows no sns:PublishBatch: sns:Publish allows both calls (Service Authorization Reference). The stand-in asks for it.
        text = json.dumps(policy).replace('["sns:Publish"]', '["sns:Publish", "sns:PublishBatch"]')
        iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=text)
        return self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """The stand-in with what the module would create, as far as the programs touch it."""
    server = Aws(tmp_path_factory.mktemp("aws"))
    try:
        environment = RENDERED["environment"]
        for bucket in (environment["detector"]["AUDIT_BUCKET"], environment["detector"]["RULES_BUCKET"]):
            server.client("s3").create_bucket(Bucket=bucket)
        for name in ("rules.yaml", "suppress.yaml", "notification-config.yaml"):
            server.client("s3").put_object(Bucket=environment["detector"]["RULES_BUCKET"], Key=name, Body=(ROOT / "config" / name).read_bytes())
        server.client("events").create_event_bus(Name=environment["detector"]["EVENTBRIDGE_BUS_NAME"])
        for topic in {environment["detector"]["SNS_TOPIC_ARN"], environment["sns_publisher"]["SNS_PRIORITY_TOPIC_ARN"]}:
            server.client("sns").create_topic(Name=topic.rsplit(":", 1)[1])
        bucket = f"arn:aws:s3:::{environment['detector']['AUDIT_BUCKET']}"
        server.client("firehose").create_delivery_stream(DeliveryStreamName=environment["audit_logger"]["FIREHOSE_STREAM_NAME"], ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose", "BucketARN": bucket, "Prefix": "audit_log/"})
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def invoke(program, event, credentials, aws):
    """One invocation through the Lambda Runtime API: its answer, or the error it reported, and its log."""
    answers, given = [], threading.Event()

    class Runtime(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if given.is_set():
                time.sleep(RUN_SECONDS)  # there is no second event; the program is ended before
                return
            given.set()
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "request")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + RUN_SECONDS) * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{program}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.append((self.path.rsplit("/", 1)[1], json.loads(body or b"null")))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {**RENDERED["environment"][program], "PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}", "AWS_REGION": REGION,
           "AWS_ENDPOINT_URL": aws.endpoint, "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
           "AWS_SESSION_TOKEN": credentials["SessionToken"], "AWS_LAMBDA_FUNCTION_NAME": program, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
           "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_LOG_GROUP_NAME": "log", "AWS_LAMBDA_LOG_STREAM_NAME": "log"}
    process = subprocess.Popen([BIN / program], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + RUN_SECONDS
    while not answers and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    log = process.communicate()[0]
    server.shutdown()
    return (answers[0] if answers else ("exit", process.returncode)), log


def kinesis_batch(bus):
    """Events of a real log that break rules, and a record that cannot be read."""
    entries = [json.loads(line) for line in bus.read_text().splitlines()]
    datas = [json.dumps(entry["detail"]["originalEvent"]).encode() for entry in entries[:4]] + [b"\xff\xfe no record"]
    return {"Records": [{"eventID": f"shardId-000000000000:{place}", "kinesis": {"sequenceNumber": str(place), "data": base64.b64encode(data).decode(),
                         "partitionKey": "x", "approximateArrivalTimestamp": 1704067200.5}} for place, data in enumerate(datas)]}


def sqs_batch(bus):
    lines = bus.read_text().splitlines()[:3]
    return {"Records": [{"messageId": f"m{place}", "body": line} for place, line in enumerate(lines)]}


def policy_without(program, sid=None):
    policy = RENDERED["policies"][f"iam-policy-monitor-{program.replace('_', '-')}"]
    kept = [s for s in policy["Statement"] if s["Sid"] != sid]
    assert sid is None or len(kept) < len(policy["Statement"])
    return {**policy, "Statement": kept}


def keys(aws, prefix):
    found = aws.client("s3").list_objects_v2(Bucket=RENDERED["environment"]["detector"]["AUDIT_BUCKET"], Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


def denials(log):
    """Denied calls. The stand-in has no member account to read policies of; that look-up must say so and cost nothing else."""
    return [line for line in log.splitlines() if ("AccessDenied" in line or "not authorized" in line) and "role/iam-policy-monitor-read: AccessDenied" not in line]


def test_the_detector_does_its_whole_work_with_its_role(aws, bus):
    answer, log = invoke("detector", kinesis_batch(bus), aws.role("detector", policy_without("detector")), aws)
    assert answer == ("response", {"batchItemFailures": []}), log
    assert denials(log) == []
    assert keys(aws, "violations/") and keys(aws, "dead-letters/") and keys(aws, "config/last-good/")


@pytest.mark.parametrize("sid", ["WriteLake", "ReadConfig", "PutEvents"])
def test_the_detector_fails_or_hands_back_without_one_of_its_statements(aws, bus, sid):
    policy = policy_without("detector", sid)
    if sid == "PutEvents":  # its ways around the bus, too
        policy["Statement"] = [s for s in policy["Statement"] if not s["Sid"].startswith("Direct")]
    answer, log = invoke("detector", kinesis_batch(bus), aws.role(f"without-{sid}", policy), aws)
    assert answer != ("response", {"batchItemFailures": []}), log


@pytest.mark.parametrize("program", ["sns_publisher", "metrics_publisher", "audit_logger"])
def test_a_handler_does_its_whole_work_with_its_role(aws, bus, program):
    answer, log = invoke(program, sqs_batch(bus), aws.role(program, policy_without(program)), aws)
    assert answer == ("response", {"batchItemFailures": []}), log
    assert denials(log) == []
    assert keys(aws, f"claims/{program}/")


@pytest.mark.parametrize("program, sid", [("sns_publisher", "Publish"), ("sns_publisher", "WriteLake"), ("metrics_publisher", "WriteLake"), ("audit_logger", "PutRecords")])
def test_a_handler_hands_back_without_one_of_its_statements(aws, bus, program, sid):
    batch = sqs_batch(bus)
    for record in batch["Records"]:  # other events than before: those are claimed
        entry = json.loads(record["body"])
        entry["detail"]["eventId"] = entry["detail"]["violation"]["violation_id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{sid}-{program}-{record['messageId']}"))
        record["body"] = json.dumps(entry)
    answer, log = invoke(program, batch, aws.role(f"{program}-without-{sid}", policy_without(program, sid)), aws)
    assert answer[0] != "response" or answer[1]["batchItemFailures"], log


def a_second_file_in_each_partition(aws):
    bucket = RENDERED["environment"]["compactor"]["AUDIT_BUCKET"]
    for key in keys(aws, "violations/"):
        body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        aws.client("s3").put_object(Bucket=bucket, Key=f"{key.removesuffix('.parquet')}-again.parquet", Body=body)


def test_the_compactor_does_its_whole_work_with_its_role_and_fails_without_it(aws, bus):
    answer, log = invoke("detector", kinesis_batch(bus), aws.role("detector-before", policy_without("detector")), aws)
    assert answer == ("response", {"batchItemFailures": []}), log
    a_second_file_in_each_partition(aws)
    answer, log = invoke("compactor", {"months": 240}, aws.role("compactor-without", policy_without("compactor", "MergeFiles")), aws)
    assert answer[0] == "error" and not keys(aws, "compaction/"), log
    answer, log = invoke("compactor", {"months": 240}, aws.role("compactor", policy_without("compactor")), aws)
    assert answer[0] == "response" and answer[1]["finished"] and answer[1]["files_merged"] >= 2, log
    assert denials(log) == [] and keys(aws, "compaction/violations/")


def routed(aws, program):
    """A queue behind the route of a program."""
    resources = RENDERED["resources"]
    pattern = resources[f'module.route["{program}"].aws_cloudwatch_event_rule.this']["event_pattern"]
    queue = aws.client("sqs").create_queue(QueueName=f"canary-{program}")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = RENDERED["environment"]["detector"]["EVENTBRIDGE_BUS_NAME"]
    aws.client("events").put_rule(Name=f"canary-{program}", EventBusName=bus, EventPattern=json.dumps(pattern))
    aws.client("events").put_targets(Rule=f"canary-{program}", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    return queue


def test_the_canary_goes_from_the_stream_over_the_bus_to_the_metric_that_its_alarm_watches(aws):
    queue = routed(aws, "metrics_publisher")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    schedule = RENDERED["resources"]['aws_scheduler_schedule.this["canary"]']["target"][0]
    record = schedule["input"].replace("<aws.scheduler.scheduled-time>", now).encode()
    batch = {"Records": [{"eventID": "shardId-000000000000:1", "kinesis": {"sequenceNumber": "1", "data": base64.b64encode(record).decode(),
             "partitionKey": schedule["kinesis_parameters"][0]["partition_key"], "approximateArrivalTimestamp": time.time()}}]}
    answer, log = invoke("detector", batch, aws.role("detector-canary", policy_without("detector")), aws)
    assert answer == ("response", {"batchItemFailures": []}), log
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=10)["Messages"]
    delivered = {"Records": [{"messageId": "canary", "body": message["Body"]}]}
    answer, log = invoke("metrics_publisher", delivered, aws.role("metrics-canary", policy_without("metrics_publisher")), aws)
    assert answer == ("response", {"batchItemFailures": []}), log
    alarm = RENDERED["resources"]['module.alarms.aws_cloudwatch_metric_alarm.this["canary"]']
    dimensions = [{"Name": name, "Value": value} for name, value in alarm["dimensions"].items()]
    day = datetime.timedelta(days=1)
    asked = {"Namespace": alarm["namespace"], "MetricName": alarm["metric_name"], "Dimensions": dimensions, "Period": 60, "Statistics": ["Sum"]}
    points = aws.client("cloudwatch").get_metric_statistics(**asked, StartTime=datetime.datetime.now() - day, EndTime=datetime.datetime.now() + day)["Datapoints"]
    assert sum(point["Sum"] for point in points) == 1
