"""Flink's dashboard, unmodified, in front of our API: every view is opened in Chromium, and nothing may fail.

Pictures of all views are in the target directory, under foreign/dashboard-VERSION: look at them after a change.
"""

import base64
import contextlib
import http.server
import json
import mimetypes
import threading
import time
import urllib.error
import urllib.request

import parts
from parts import claim, foreign

# How long a view must have been quiet until it counts as shown: longer than between two of its questions.
QUIET = 1.5


def check(setting):
    ours = parts.Ours(setting)
    counting, sleeping = ours.count(), ours.sleep("sleeping")
    failing(ours)
    manager = ours.ask("/taskmanagers")["taskmanagers"][0]["id"]
    page = Page(setting.page(), ours.front)
    browser = Browser(setting, page)
    try:
        for number, view in enumerate(views(setting, counting, manager)):
            shown = browser.open(view)
            browser.picture(f"{number:02}{view.replace(counting, 'JOB').replace(manager, 'TM').replace('/', '-')}")
            claim(f"{view} shows something", len(shown) > 40, shown)
            claim(f"{view}: no request failed", not page.failed, page.failed)
            claim(f"{view}: no error in the console", not browser.errors(), browser.seen)
        shown = browser.open(f"/job/running/{sleeping}/overview")
        browser.click("Cancel Job")
        browser.click("Yes")
        ended = lambda: ours.ask(f"/jobs/{sleeping}/status").get("status") == "CANCELED"
        foreign.eventually("the button cancels the job", ended)
        claim("the button cancels the job, and no request failed", not page.failed, page.failed)
    finally:
        browser.end()


def failing(ours):
    """A job with failures to show, under a name and with a line that would be a script if they were not escaped."""
    ours.run("--name", "failing", "--", "sh", "-c", "echo '<script>document.title=\"broken\"</script>'; sleep 1; exit 7")


def views(setting, job, manager):
    vertex = f"/job/running/{job}/overview/{job}"
    return [
        "/overview",
        "/job/running",
        "/job/completed",
        *applications(setting, job),
        *(f"/job/running/{job}/{tab}" for tab in ["overview", "exceptions", "dataskew", "timeline", "checkpoints",
                                                "configuration"]),
        *(f"{vertex}/{tab}" for tab in ["detail", "subtasks", "taskmanagers", "watermarks", "accumulators", "backpressure",
                                        "metrics", "flamegraph"]),
        "/task-manager",
        *(f"/task-manager/{manager}/{tab}" for tab in ["metrics", "logs", "log", "stdout", "thread-dump", "profiler"]),
        *(f"/job-manager/{tab}" for tab in ["metrics", "config", "logs", "log", "stdout", "thread-dump", "profiler"]),
        "/submit",
    ]


def applications(setting, job):
    """What only newer ones have: the views of applications, as which each job counts."""
    if int(setting.version.split(".")[0]) < 2:
        return []
    one = f"/application/running/{job}"
    return ["/application/running", "/application/completed", f"{one}/overview", f"{one}/exceptions"]


class Page:
    """The files of the dashboard, and everything else from the cluster: one origin, as Flink serves it."""

    def __init__(self, files, cluster):
        self.failed, self.last = [], time.monotonic()
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.split("?")[0].lstrip("/") or "index.html"
                file = (files / name).resolve()
                if file.is_file() and files.resolve() in file.parents:
                    self._say(200, mimetypes.guess_type(name)[0] or "application/octet-stream", file.read_bytes())
                else:
                    self._ask()

            def _ask(self):
                page.last = time.monotonic()
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                request = urllib.request.Request(f"http://{cluster}{self.path}", method=self.command, headers=headers,
                                                 data=self.rfile.read(length) if length else None)
                try:
                    with urllib.request.urlopen(request, timeout=60) as reply:
                        status, kind, body = reply.status, reply.headers["Content-Type"], reply.read()
                except urllib.error.HTTPError as error:
                    status, kind, body = error.code, error.headers["Content-Type"], error.read()
                    page.failed.append((self.command, self.path, status, body[:300]))
                page.last = time.monotonic()
                self._say(status, kind, body)

            do_POST = do_PUT = do_PATCH = do_DELETE = _ask

            def _say(self, status, kind, body):
                # A view that is left takes its answers no more.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    self.send_header("Content-Type", kind or "text/plain")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Browser:
    """Chromium, by the protocol of its driver (WebDriver)."""

    def __init__(self, setting, page):
        self._page, self.seen = page, []
        self._pictures = foreign.TARGET / "foreign" / f"dashboard-{setting.version}"
        self._pictures.mkdir(parents=True, exist_ok=True)
        port = foreign.free_port()
        driver = setting.processes.start("chromedriver", ["chromedriver", f"--port={port}"])
        self._at = f"http://127.0.0.1:{port}"
        foreign.eventually("the driver answers", lambda: self._ready(), driver)
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000",
                            f"--user-data-dir={setting.place}/chromium"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._at += f"/session/{session['sessionId']}"

    def open(self, view):
        """Shows a view of the dashboard. Returns its text."""
        # What it asks for comes after this.
        self._page.last = time.monotonic()
        self._call("POST", "/url", {"url": f"http://{self._page.address}/#{view}"})
        is_quiet = lambda: time.monotonic() - self._page.last > QUIET
        started = time.monotonic()
        # A view that asks again and again is never quiet for long.
        foreign.eventually(f"{view} is shown", lambda: is_quiet() or time.monotonic() - started > 8)
        # What the dashboard shows in place of what it waits for.
        waits = "return [...document.querySelectorAll('.ant-skeleton')].some(one => one.checkVisibility())"
        foreign.eventually(f"{view} has all that it waits for", lambda: not self._script(waits))
        title = self._script("return document.title")
        claim(f"{view} runs no script of a job", "broken" not in title, title)
        return self._script("return document.body.innerText")

    def picture(self, name):
        """Keeps what is shown as a picture."""
        picture = base64.b64decode(self._call("GET", "/screenshot"))
        (self._pictures / f"{name}.png").write_bytes(picture)

    def click(self, text):
        """Clicks the innermost element with this text, once it is there."""
        script = """
            const all = [...document.querySelectorAll('a, button, span')];
            const found = all.reverse().find(one => one.innerText && one.innerText.trim() === arguments[0]);
            if (found) found.click();
            return Boolean(found);"""
        foreign.eventually(f"there is {text!r} to click", lambda: self._script(script, text))

    def errors(self):
        """Errors of the console since the last look."""
        said = self._call("POST", "/se/log", {"type": "browser"})
        self.seen = [line for line in said if line["level"] == "SEVERE"]
        return self.seen

    def end(self):
        self._call("DELETE", "")

    def _script(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def _ready(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._at + path, data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"the browser refused {method} {path}: {error.read().decode()[:2000]}") from error
