"""Requests to the server under test, each kept as a record with its reply (openapi_check.py)."""
import http.client
import json
import socket
import time
import urllib.parse

from openapi_check import PROBLEM, Record

PATIENCE_SECONDS = 20
WAIT_SECONDS = 90  # A hold has to end, which takes half a minute.


class Failed(Exception):
    pass


class Api:
    def __init__(self, base):
        self.host = urllib.parse.urlsplit(base).netloc
        self.records = []
        self.keys = 0

    def new_key(self):
        self.keys += 1
        return f"openapi-{self.keys}"

    def call(self, method, path, want, who=None, query=None, headers=(), wrong=False, **rest):
        """One request; `rest` may have body (JSON), raw (bytes), and the path's parameters. `want`
        is a status, several, or a problem's type."""
        record, target, sent = self.prepare(method, path, who, query, headers, rest)
        record.wrong = wrong
        body = rest.get("raw")
        if record.body is not None:
            body = json.dumps(record.body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        if "length" in rest:  # Told, and never sent.
            sent["Content-Length"] = str(rest["length"])
        connection.request(method, target, body=body, headers=sent)
        reply = connection.getresponse()
        record.status, record.headers = reply.status, reply.getheaders()
        if reply.getheader("Content-Type") != "text/event-stream":
            record.content = reply.read()
        connection.close()
        return self.keep(record, want)

    def prepare(self, method, path, who, query, headers, rest):
        record = Record(method, path, body=rest.get("body"))
        target = path
        for name, value in rest.get("at", {}).items():
            target = target.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
            record.parameters["path", name.lower()] = value
        if query:
            target += "?" + urllib.parse.urlencode(query)
            for name, value in (query if isinstance(query, list) else query.items()):
                record.parameters["query", name.lower()] = str(value)
        sent = dict(headers)
        for name, value in sent.items():
            if name.lower() not in ("content-type", "cookie", "authorization", "x-none"):
                record.parameters["header", name.lower()] = value
        if who:
            sent["Authorization"] = f"Bearer {who}"
        return record, target, sent

    def keep(self, record, want):
        self.records.append(record)
        wanted = want if isinstance(want, tuple) else (want,)
        if record.status not in wanted and record.problem_type() not in wanted:
            raise Failed(f"{record}, and not {want}: {record.content[:500]!r}")
        if isinstance(want, str):
            assert json.loads(record.content)["type"] == PROBLEM + want
        return record

    def allowed(self, target):
        """What OPTIONS says of a path."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("OPTIONS", target)
        reply = connection.getresponse()
        reply.read()
        connection.close()
        if reply.status != 204:
            raise Failed(f"OPTIONS {target}: {reply.status}")
        return set(reply.getheader("Allow").split(", "))

    def json(self, *arguments, **rest):
        return json.loads(self.call(*arguments, **rest).content)

    def wait(self, path, what, who, **rest):
        """Read it until `what` holds."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not what(found := self.json("GET", path, 200, who=who, **rest)):
            if time.monotonic() > deadline:
                raise Failed(f"GET {path}: it does not happen: {found}")
            time.sleep(0.1)
        return found


class Stream:
    """A stream of events, read as far as is asked."""

    def __init__(self, api, path, want=200, who=None, headers=(), **rest):
        self.api = api
        self.record, target, sent = api.prepare("GET", path, who, None, headers, rest)
        self.connection = http.client.HTTPConnection(api.host, timeout=60)
        self.connection.request("GET", target, headers=sent)
        self.reply = self.connection.getresponse()
        self.record.status, self.record.headers = self.reply.status, self.reply.getheaders()
        if self.reply.status != 200:
            self.record.content = self.reply.read()
        api.keep(self.record, want)

    def read(self, *kinds):
        """Until events of all these kinds have come since it began; the last of the last kind."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        kind, data = "message", ""
        while not set(kinds) <= {kind for kind, _ in self.record.events}:
            line = self.reply.readline().decode().rstrip("\n")
            if time.monotonic() > deadline:
                raise Failed(f"{self.record}: {kinds} do not come, but {self.record.events}")
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                data += value
            elif not line and data:
                self.record.events.append((kind, json.loads(data)))
                kind, data = "message", ""
        return [data for kind, data in self.record.events if kind == kinds[-1]][-1]

    def close(self):
        # The reply holds the socket too.
        if self.connection.sock:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.reply.close()
        self.connection.close()
