"""What stands in for the world of a release: Elastic Beanstalk, as far as the scripts use it, and Spiral's API.

Both are HTTP servers on free ports that record what they are asked. Everything else of AWS is moto's.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape


class Server:
    """An HTTP server in a thread of its own; `answer(request)` returns the status, the type and the body."""

    def __init__(self):
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                status, kind, text = stand_in.answer(self, body)
                content = text.encode()
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Beanstalk(Server):
    """Elastic Beanstalk's calls as the scripts make them. How a deployment goes is told for each version:

    `green` becomes Ready and Green, `red` stays Red, `given up` goes back to the version before, `refused` is not begun.
    """

    def __init__(self):
        super().__init__()
        self.calls = []
        self.versions = {}
        self.environments = {}
        self.goes = {}
        # At which look a deployment is over.
        self.settles_at = 2

    def add_environment(self, name, version, status="Ready"):
        self.environments[name] = {"version": version, "before": version, "status": status, "health": "Green", "looks": 0}

    def updates(self):
        """Every update that was asked for: environment and version."""
        return [(call["EnvironmentName"], call["VersionLabel"]) for call in self.calls if call["Action"] == "UpdateEnvironment"]

    def answer(self, _request, body):
        call = {name: values[0] for name, values in parse_qs(body).items()}
        self.calls.append(call)
        action = call["Action"]
        if action == "UpdateEnvironment" and self.goes.get(call["VersionLabel"]) == "refused":
            error = "<Error><Type>Sender</Type><Code>InsufficientPrivileges</Code><Message>no</Message></Error>"
            return 400, "text/xml", f"<ErrorResponse>{error}</ErrorResponse>"
        result = getattr(self, action)(call)
        return 200, "text/xml", f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"

    def DescribeApplicationVersions(self, call):
        label = call["VersionLabels.member.1"]
        members = f"<member><VersionLabel>{escape(label)}</VersionLabel></member>" if label in self.versions else ""
        return f"<ApplicationVersions>{members}</ApplicationVersions>"

    def CreateApplicationVersion(self, call):
        self.versions[call["VersionLabel"]] = (call["SourceBundle.S3Bucket"], call["SourceBundle.S3Key"])
        return ""

    def UpdateEnvironment(self, call):
        label = call["VersionLabel"]
        assert label in self.versions, f"{label} was never created"
        environment = self.environments[call["EnvironmentName"]]
        environment.update(before=environment["version"], version=label, status="Updating", health="Grey", looks=0)
        return ""

    def DescribeEnvironments(self, call):
        name = call["EnvironmentNames.member.1"]
        environment = self.environments[name]
        if environment["status"] == "Updating":
            environment["looks"] += 1
            if environment["looks"] == self.settles_at:
                self._settle(environment)
        return (
            f"<Environments><member><EnvironmentName>{name}</EnvironmentName>"
            f"<VersionLabel>{environment['version']}</VersionLabel><Status>{environment['status']}</Status>"
            f"<Health>{environment['health']}</Health></member></Environments>"
        )

    def _settle(self, environment):
        how = self.goes.get(environment["version"], "green")
        environment["status"] = "Ready"
        environment["health"] = "Red" if how == "red" else "Green"
        if how == "given up":
            environment["version"] = environment["before"]

    def DescribeEvents(self, _call):
        event = "<EventDate>2026-01-01T00:00:00Z</EventDate><Severity>ERROR</Severity><Message>an instance is unwell</Message>"
        return f"<Events><member>{event}</member></Events>"


class Api(Server):
    """Spiral's API: it computes Fibonacci numbers for callers with the token, unless it is told to be `broken`."""

    def __init__(self, token):
        super().__init__()
        self.token = token
        self.calls = []
        self.broken = lambda: None

    def answer(self, request, body):
        self.calls.append(request.path)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, "application/problem+json", "{}"
        how = self.broken()
        if how == "away":
            return 503, "application/problem+json", "{}"
        if how == "no worker":
            return 202, "application/json", '{"state": "queued"}'
        before, value = 1, 0
        for _ in range(json.loads(body)["input"]["index"]):
            before, value = value, before + value
        output = str(value + 1) if how == "wrong" else str(value)
        return 200, "application/json", json.dumps({"state": "completed", "output": output})
