"""What a batch costs the Lambda: by part, as it starts, in memory and in money."""
import base64, glob, gzip, http.server, json, os, queue, subprocess, tempfile, threading, time

from inputs import HERE
from measure import measured
from tables import table

# List prices of us-east-1, in US dollars, first tier, as published on aws.amazon.com/lambda/pricing in November 2026.
PRICES_FROM = "2026-11"
GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
MILLION_REQUESTS = 0.20
# Lambda gives one vCPU at this memory, and less in proportion. Source: Lambda developer guide, "Configure function memory".
MEGABYTES_PER_VCPU = 1769
SETTING_MB = 256
STARTS = 9


def show(args, goals):
    costs = json.loads(measured([os.path.join(args.bin, "examples", "batch_costs")]).output)
    parts = ["base64", "inflate", "find", "parse", "policy", "rules", "parquet"]
    rows = []
    for name, cost in costs["batches"].items():
        records, whole = int(name.split()[1]), cost["whole without parquet"] + cost["parquet"]
        rows.append([name] + [cost[part] for part in parts] + [whole, whole / records])
    table("Lambda batch: microseconds by part, one thread", ["batch", *parts, "whole", "per record"], rows)
    print("Network wait comes on top: at most four calls in a row (object of violations, object of events, bus, metrics).")
    batch = {name: whole for name, *_, whole, _ in rows}
    started(args)
    money(batch)


def money(batch):
    rows = []
    for name in ("mixed 100", "mixed 10000"):
        records = int(name.split()[1])
        # At this setting the processor is a fraction of one; the same work takes as much longer.
        seconds = batch[name] / 1e6 * MEGABYTES_PER_VCPU / SETTING_MB * 1e6 / records
        calls = 1e6 / records
        for wait in (0, 0.05):
            billed = seconds + wait * calls
            price = {arch: billed * SETTING_MB / 1024 * rate + calls / 1e6 * MILLION_REQUESTS for arch, rate in GB_SECOND.items()}
            rows.append([name, f"{wait * 1000:.0f} ms", billed, f"{price['x86_64']:.4f}", f"{price['arm64']:.4f}"])
    table(f"Price of a million events at {SETTING_MB} MB, US dollars, list prices of us-east-1 of {PRICES_FROM}",
          ["batch", "network wait", "billed s", "x86_64", "arm64"], rows)


class Runtime:
    """The Lambda Runtime API for one process: hands out events and takes answers. Everything else is refused at once."""

    def __init__(self):
        self.events, self.answers, self.polled = queue.Queue(), queue.Queue(), queue.Queue()
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self, status, body=b"", headers=()):
                self.send_response(status)
                for name, value in [("content-length", str(len(body))), *headers]:
                    self.send_header(name, value)
                try:
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:  # the program was stopped
                    self.close_connection = True

            def do_GET(self):
                runtime.polled.put(time.monotonic())
                event = runtime.events.get()
                if event is None:
                    return self.reply(500)
                deadline = str(int(time.time() * 1000) + 60_000)
                self.reply(200, event, [("lambda-runtime-aws-request-id", "1"), ("lambda-runtime-deadline-ms", deadline),
                                        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:d")])

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if "/runtime/" in self.path:
                    runtime.answers.put((time.monotonic(), body))
                    return self.reply(202)
                self.reply(400)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def start(self, args, lake):
        environment = {
            "AWS_LAMBDA_RUNTIME_API": self.address, "AWS_LAMBDA_FUNCTION_NAME": "detector", "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(SETTING_MB), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": f"http://{self.address}", "AUDIT_BUCKET": lake,
            "RULES_BUCKET": os.path.join(HERE, "..", "config"), "EVENTBRIDGE_BUS_NAME": "security", "PATH": os.environ["PATH"],
        }
        begin = time.monotonic()
        program = [os.path.join(args.bin, "detector")]
        process = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return process, self.polled.get(timeout=20) - begin
        except queue.Empty:
            process.kill()
            raise SystemExit("the detector did not start as a Lambda")

    def handle(self, event):
        begin = time.monotonic()
        self.events.put(event)
        end, answer = self.answers.get(timeout=60)
        return end - begin, json.loads(answer)

    def stop(self, process):
        process.kill()
        process.wait()
        self.events.put(None)
        self.server.shutdown()


def quiet_events():
    """Real events that no rule names, so that nothing has to be told to anybody."""
    for path in sorted(glob.glob(os.path.join(HERE, "..", "testdata/cloudtrail/invictus-stratus-2023/files/*"))):
        with gzip.open(path) as file:
            for record in json.load(file)["Records"]:
                if record.get("readOnly") is True and record["eventName"].startswith(("Describe", "List")):
                    yield record


def kinesis_event(count):
    events, records = list(quiet_events()), []
    for place in range(count):
        message = json.dumps(events[place % len(events)], separators=(",", ":"))
        entry = {"id": "1", "timestamp": 1, "message": message}
        body = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "subscriptionFilters": ["f"],
                "logEvents": [entry]}
        packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), 6, mtime=0)
        records.append({"eventID": f"shardId-000000000000:{place}", "eventName": "aws:kinesis:record", "eventSource": "aws:kinesis",
                        "kinesis": {"partitionKey": "1", "sequenceNumber": str(place), "kinesisSchemaVersion": "1.0",
                                    "data": base64.b64encode(packed).decode(), "approximateArrivalTimestamp": 1704456000.5}})
    return json.dumps({"Records": records}).encode()


def peak_megabytes(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def started(args):
    if not os.path.exists("/proc/self/status"):
        return print("start and memory of the Lambda: NOT RUN, needs /proc")
    starts, rows = [], []
    for number in range(STARTS):
        with tempfile.TemporaryDirectory() as lake:
            runtime = Runtime()
            process, took = runtime.start(args, lake)
            starts.append(took * 1000)
            if number == STARTS - 1:
                memory = [["after the start", "", peak_megabytes(process)]]
                for count in (1, 100, 5_000):
                    event = kinesis_event(count)
                    times = [runtime.handle(event) for _ in range(5)]
                    assert all(answer == {"batchItemFailures": []} for _, answer in times), times[-1]
                    memory.append([f"{count} records, {len(event) / 1e6:.2f} MB", min(time for time, _ in times) * 1000, peak_megabytes(process)])
            runtime.stop(process)
    starts.sort()
    rows = [["start to first poll, ms", starts[0], starts[len(starts) // 2], starts[-1]]]
    table(f"The Lambda program, {STARTS} starts, configuration in a folder", ["", "fastest", "median", "slowest"], rows)
    table("The Lambda program at work: CloudWatch Logs records that no rule wants, through the Runtime API",
          ["", "ms, with the metrics call refused", "peak MB"], memory)
