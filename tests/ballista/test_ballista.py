"""`analytics report --engine ballista` on a cluster of one scheduler and two executors on loopback: the report is the local one,
byte for byte, in every format. Run by `make test-ballista`, which builds the programs with Ballista into a folder of their own."""
import os, pathlib, shutil, socket, subprocess, sys, time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ["BIN"]
READY_SECONDS = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Cluster:
    def __init__(self, folder):
        self.folder, self.processes, self.port = folder, [], free_port()
        self.start("scheduler", self.port)
        self.wait_for(self.port)
        for number in range(2):
            flight, grpc, work = free_port(), free_port(), folder / f"executor-{number}"
            work.mkdir()
            self.start("executor", self.port, flight, grpc, work)
            self.wait_for(flight)

    def start(self, *arguments):
        log = open(self.folder / f"{arguments[0]}-{len(self.processes)}.log", "w")
        self.processes.append(subprocess.Popen([BIN / "examples/cluster", *map(str, arguments)], stdout=log, stderr=log))

    def wait_for(self, port):
        deadline = time.monotonic() + READY_SECONDS
        while not answers(port):
            assert self.processes[-1].poll() is None, self.logs()
            assert time.monotonic() < deadline, f"nothing answers at {port}\n{self.logs()}"
            time.sleep(0.1)

    def logs(self):
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Two months, with repeated rows."""
    folder = tmp_path_factory.mktemp("audit")
    command = [sys.executable, ROOT / "bench/lake.py", folder, "--rows", "20000", "--months", "2", "--accounts", "20"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def command(lake, *arguments, month="2024-02"):
    return [BIN / "analytics", "report", "--month", month, "--audit", lake, *arguments]


def report(lake, *arguments, ok=0, month="2024-02"):
    done = subprocess.run(command(lake, *arguments, month=month), capture_output=True, text=True)
    assert done.returncode == ok, done.stdout + done.stderr
    return done


def on(cluster):
    return "--engine", "ballista", "--scheduler", f"127.0.0.1:{cluster.port}"


@pytest.mark.parametrize("format", ["text", "json", "csv", "markdown", "html"])
def test_the_report_of_the_cluster_is_the_local_one_byte_for_byte(cluster, lake, format):
    assert report(lake, "--format", format, *on(cluster)).stdout == report(lake, "--format", format).stdout, cluster.logs()


def test_both_executors_did_a_part(cluster, lake):
    report(lake, "--account", "111100000000", *on(cluster))
    for number in range(2):
        parts = [file for file in (cluster.folder / f"executor-{number}").rglob("*") if file.is_file()]
        assert parts, f"executor {number} wrote nothing\n{cluster.logs()}"


def test_a_filter_and_an_empty_month_are_the_same_too(cluster, lake):
    filters = ("--format", "json", "--account", "111100000000", "--severity", "critical")
    assert report(lake, *filters, *on(cluster)).stdout == report(lake, *filters).stdout
    assert report(lake, *on(cluster), ok=3, month="2019-01").stdout == report(lake, ok=3, month="2019-01").stdout


def test_a_broken_file_is_left_out_and_named(cluster, lake, tmp_path):
    shutil.copytree(lake, tmp_path / "audit")
    (tmp_path / "audit/violations/year=2024/month=02/day=03/broken.parquet").write_bytes(b"PAR1 this is no Parquet file PAR1")
    local, there = report(tmp_path / "audit", ok=4), report(tmp_path / "audit", *on(cluster), ok=4)
    assert (there.stdout, there.stderr) == (local.stdout, local.stderr)
    assert "day=03/broken.parquet" in there.stderr


def test_a_scheduler_that_is_not_there_is_named(lake):
    refused = report(lake, "--engine", "ballista", "--scheduler", "127.0.0.1:9", ok=1)
    assert "no Ballista scheduler answers at 127.0.0.1:9" in refused.stderr and not refused.stdout


def test_a_cluster_that_dies_in_the_middle_is_an_error_and_no_report(lake, tmp_path):
    started = Cluster(tmp_path)
    try:
        running = subprocess.Popen(command(lake, *on(started)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not any(file.is_file() for file in tmp_path.glob("executor-?/**/*")):
            assert running.poll() is None, running.communicate()
            time.sleep(0.05)
        started.stop()
        out, err = running.communicate(timeout=300)
    finally:
        started.stop()
    assert (running.returncode, out) == (1, ""), err
    assert err.startswith("error: ") and "Ballista" in err, err
