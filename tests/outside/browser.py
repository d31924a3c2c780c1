"""A page in headless Chromium, driven over its debugging pipe: no driver to install, no port, no network."""
import base64, contextlib, json, os, shutil, subprocess, tempfile

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--remote-debugging-pipe", "--window-size=1200,900"]


class Page:
    """One page, and what it said and asked for."""

    def __init__(self, commands, answers):
        self.commands, self.answers, self.number, self.rest = commands, answers, 0, b""
        self.requests, self.complaints, self.loaded, self.session = [], [], False, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def next(self):
        while b"\0" not in self.rest:
            more = os.read(self.answers, 1 << 20)
            assert more, "the browser has ended"
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(message)
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"])
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(params["args"])
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(params)
        elif method == "Page.loadEventFired":
            self.loaded = True
        return message

    def open(self, path):
        self.loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self.next()

    def ask(self, expression):
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def medium(self, scheme, media=""):
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))


@contextlib.contextmanager
def page():
    """A new browser with an empty profile, ended at the end."""
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()

    def wire():
        # The browser reads from 3 and writes to 4; out of the way first, for a pipe may have one of these numbers.
        read, write = os.dup(to_browser), os.dup(from_browser)
        os.dup2(os.dup(read), 10), os.dup2(os.dup(write), 11)
        os.dup2(10, 3), os.dup2(11, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        browser = subprocess.Popen(command, preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser), os.close(from_browser)
        try:
            yield Page(from_us, to_us)
        finally:
            browser.terminate()
            browser.wait(20)
            os.close(from_us), os.close(to_us)
