"""What every check from outside needs: the built programs and a lake made by them from the sample log."""
import os, pathlib, socket, subprocess, sys, time

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "testdata/cloudtrail/invictus-stratus-2023/files"
BIN = pathlib.Path(os.environ.get("BIN", "target/debug"))
BIN = BIN if BIN.is_absolute() else ROOT / BIN


def run(program, *arguments, ok=(0,), **options):
    """Runs one of our programs; fails with its own words unless it ends with an expected exit code."""
    done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode in ok, f"{program} {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def objects(lake):
    """Names and bytes of every object of a lake."""
    lake = pathlib.Path(lake)
    return {str(p.relative_to(lake)): p.read_bytes() for p in sorted(lake.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    run("detector", "scan", SAMPLE, "--audit", folder, "--bus", folder.with_suffix(".bus.jsonl"))
    return folder


@pytest.fixture(scope="session")
def bus(lake):
    return lake.with_suffix(".bus.jsonl")


REGION, KEY = "us-east-1", "111111111111"
# DuckDB lacks a function of Trino that the queries use; the stand-in gets it when it connects.
TRINO_FUNCTIONS = '''
import duckdb
connect = duckdb.connect
def with_functions(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.execute("CREATE MACRO to_unixtime(moment) AS epoch(moment)")
    return connection
duckdb.connect = with_functions
'''


def environment(endpoint):
    """What leads our programs to the stand-in, and nowhere else."""
    return {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}


def client(endpoint, service):
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key="none", config=config)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """A stand-in for AWS (MiniStack) of this run."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "sitecustomize.py").write_text(TRINO_FUNCTIONS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(folder), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    server = subprocess.Popen([pathlib.Path(sys.executable).parent / "ministack"], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            try:
                client(url, "sts").get_caller_identity()
                break
            except Exception:
                assert time.monotonic() < deadline and server.poll() is None, "MiniStack did not start"
                time.sleep(0.2)
        yield url
    finally:
        server.kill()
        server.wait()


def pytest_terminal_summary(terminalreporter):
    """What did not run is said, also with -q."""
    reasons = {report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)}
    for reason in sorted(reason for reason in reasons if "NOT RUN" in reason):
        terminalreporter.write_line(reason.removeprefix("Skipped: "))
