"""`analytics compact` on a bucket, killed with SIGKILL at every change it makes there, and run twice at once. A proxy before the
stand-in counts the changes. Before, between and after, readers must see the same rows."""
import http.client, http.server, itertools, json, signal, subprocess, sys, threading

import pytest

from conftest import BIN, ROOT, client, environment, run

BUCKET, MONTH = "compacted-lake", "2024-01"
HOP = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}


class Killer(http.server.ThreadingHTTPServer):
    """Passes requests on. At the change numbered `at` it kills the program, before or after the change is made."""

    daemon_threads = True

    def __init__(self, endpoint):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = endpoint.removeprefix("http://")
        self.lock = threading.Lock()
        self.plan(None, None, False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def plan(self, victim, at, after):
        self.victim, self.at, self.after, self.changes, self.killed = victim, at, after, 0, False

    def handle_error(self, request, address):
        pass  # the killed program no longer listens


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        is_change = self.command in ("PUT", "DELETE") or (self.command == "POST" and "delete" in self.path)
        with server.lock:
            server.changes += is_change
            is_last = is_change and server.changes == server.at
            if is_last and not server.after:
                return self.kill()
            if is_change and server.killed:
                return
        upstream = http.client.HTTPConnection(server.upstream, timeout=60)
        upstream.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "keep-alive")})
        answer = upstream.getresponse()
        content = answer.read()
        if is_last:
            return self.kill()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP | {"server", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def kill(self):
        self.server.killed = True
        self.server.victim.send_signal(signal.SIGKILL)
        self.close_connection = True

    def log_message(self, *_):
        pass

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A day of small files, with rows that are in two of them."""
    lake = tmp_path_factory.mktemp("small")
    subprocess.run([sys.executable, ROOT / "bench/lake.py", lake, "--rows", "620", "--months", "1", "--accounts", "3", "--files", "62"], check=True, stdout=subprocess.DEVNULL)
    return {str(f.relative_to(lake)): f.read_bytes() for f in sorted(lake.rglob("*.parquet")) if "day=01" in str(f)}


@pytest.fixture(scope="module")
def killer(endpoint):
    client(endpoint, "s3").create_bucket(Bucket=BUCKET)
    server = Killer(endpoint)
    yield server
    server.shutdown()


def refill(endpoint, files):
    s3 = client(endpoint, "s3")
    for key in keys(endpoint):
        s3.delete_object(Bucket=BUCKET, Key=key)
    for key, body in files.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def keys(endpoint):
    return [found["Key"] for found in client(endpoint, "s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def report(endpoint):
    """What a reader sees; the row count and the sums of every section."""
    return run("analytics", "report", "--month", MONTH, "--audit", f"s3://{BUCKET}", "--format", "json", env=environment(endpoint)).stdout


def compact(killer):
    address = f"http://127.0.0.1:{killer.server_address[1]}"
    return subprocess.Popen([BIN / "analytics", "compact", "--audit", f"s3://{BUCKET}", "--grace", "0"], env=environment(address), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(killer):
    """The next run, which goes on from where the killed one was."""
    killer.plan(None, None, False)
    done = compact(killer)
    out, error = done.communicate(timeout=300)
    assert done.returncode == 0, out + error


@pytest.mark.parametrize("after", [False, True], ids=["before-the-change", "after-the-change"])
def test_killed_at_every_change_no_reader_sees_a_difference(endpoint, killer, files, after):
    refill(endpoint, files)
    seen = report(endpoint)
    assert json.loads(seen)["summary"]["violations"] > 10
    for at in itertools.count(1):
        refill(endpoint, files)
        killer.plan(None, at, after)
        victim = compact(killer)
        killer.victim = victim
        victim.communicate(timeout=300)
        if not killer.killed:
            assert victim.returncode == 0
            break
        assert victim.returncode == -signal.SIGKILL
        assert report(endpoint) == seen, f"after a kill at change {at}"
        finish(killer)
        assert report(endpoint) == seen, f"after going on from a kill at change {at}"
        violations = [key for key in keys(endpoint) if key.startswith("violations/")]
        assert len(violations) == 1 and violations[0].endswith("-merged.parquet")
    assert at > 6, "a merged file, its manifest, the small files and the manifest again"


def test_two_runs_at_once_beside_a_reader_change_nothing_of_what_it_sees(endpoint, killer, files):
    refill(endpoint, files)
    seen = report(endpoint)
    killer.plan(None, None, False)
    for _ in range(2):
        both = [compact(killer), compact(killer)]
        while any(one.poll() is None for one in both):
            assert report(endpoint) == seen
        assert [one.wait() for one in both] == [0, 0], [one.stderr.read() for one in both]
    finish(killer)
    assert report(endpoint) == seen
    assert len([key for key in keys(endpoint) if key.startswith("violations/")]) == 1
