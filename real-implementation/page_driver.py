"""Chromium, headless, driven by the DevTools protocol: what page_test.py needs and no more.

A Browser is a process of its own with a profile of its own, so two of them share no cookie and no
connection. What the page says on its console, its exceptions, what its security policy forbids and
the requests that fail are collected, to be judged at the end."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

import websocket

START_SECONDS_MAX = 60
CALL_SECONDS_MAX = 60


class Failed(Exception):
    """What should have happened has not."""


class Browser:
    def __init__(self, name, width, height, dark=False):
        self.name, self.serial, self.events = name, 0, []
        self.profile = tempfile.mkdtemp(prefix="onsale-page-")
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
             "--disable-component-update", "--hide-scrollbars", "--remote-debugging-port=0",
             "--remote-allow-origins=*", f"--user-data-dir={self.profile}",
             f"--window-size={max(width, 500)},{height}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        try:
            self.connect()
            self.resize(width, height)
            if dark:
                self.call("Emulation.setEmulatedMedia",
                          features=[{"name": "prefers-color-scheme", "value": "dark"}])
        except BaseException:
            self.close()
            raise

    def connect(self):
        target = None
        until = time.monotonic() + START_SECONDS_MAX
        while target is None:
            if self.process.poll() is not None or time.monotonic() > until:
                raise Failed(f"{self.name}: Chromium does not start")
            try:
                with open(os.path.join(self.profile, "DevToolsActivePort"), encoding="ascii") as file:
                    port = int(file.readline())
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as reply:
                    pages = [one for one in json.load(reply) if one["type"] == "page"]
                target = pages[0] if pages else None
            except (OSError, ValueError):
                pass
            if target is None:
                time.sleep(0.1)
        self.socket = websocket.create_connection(
            target["webSocketDebuggerUrl"], timeout=CALL_SECONDS_MAX)
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        self.serial += 1
        self.socket.send(json.dumps(
            {"id": self.serial, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.serial:
                if "error" in message:
                    raise Failed(f"{self.name}: {method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in result:
            what = result["exceptionDetails"]
            raise Failed(f"{self.name}: {script}: "
                         f"{what.get('exception', {}).get('description', what['text'])}")
        return result["result"].get("value")

    def wait(self, script, seconds=20, why=None):
        """Until an expression is true; its value."""
        until = time.monotonic() + seconds
        while True:
            value = self.run(script)
            if value:
                return value
            if time.monotonic() > until:
                seen = self.run("document.body.innerText")
                raise Failed(f"{self.name}: {why or script} has not happened in {seconds} s. "
                             f"The page says:\n{seen}")
            time.sleep(0.02)

    def wait_for(self, selector, seconds=20):
        """Until an element is to be seen."""
        return self.wait(f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
                         f" return Boolean(e) && e.checkVisibility() }})()", seconds, selector)

    def go(self, url):
        self.call("Page.navigate", url=url)

    def click(self, selector):
        """By the mouse, as a person does it: once it stands still, is enabled, and nothing covers
        it."""
        self.wait_for(selector)
        x, y = self.wait(
            f"(async () => {{ const e = document.querySelector({json.dumps(selector)});"
            " if (!e || e.disabled) return null;"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const middle = () => { const r = e.getBoundingClientRect();"
            "  return [r.x + r.width / 2, r.y + r.height / 2] };"
            " const [x, y] = middle();"
            " await new Promise((resolve) => requestAnimationFrame(resolve));"
            " await new Promise((resolve) => requestAnimationFrame(resolve));"
            " const [left, top] = middle(), met = document.elementFromPoint(x, y);"
            " const parts = [e, e.closest('label')];"
            " return left === x && top === y && parts.some((one) => one?.contains(met))"
            "  ? [x, y] : null })()", why=f"{selector} can be clicked")
        self.click_at(x, y)

    def click_at(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                      buttons=1, clickCount=1)

    def key(self, name, text=None, code=None):
        extra = {"text": text} if text else {}
        if code:
            extra["windowsVirtualKeyCode"] = code
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def shot(self, path, whole=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.run("document.documentElement.scrollWidth - innerWidth")

    def complaints(self, allowed=()):
        """Errors and warnings of the console, exceptions, violations of the policy, and answers
        from 400 on whose status is none of `allowed`."""
        self.run("1")  # What came before it is read with it.
        found = []
        for event in self.events:
            method, what = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(what["exceptionDetails"].get("exception", {}).get(
                    "description", what["exceptionDetails"]["text"]))
            elif method == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning",
                                                                         "assert"):
                found.append(f"console.{what['type']}: {what['args']}")
            elif method == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                entry = what["entry"]
                # Of answers more is told below.
                if entry["source"] != "network" or "status of" not in entry["text"]:
                    found.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
            elif method == "Network.responseReceived" and what["response"]["status"] >= 400 \
                    and what["response"]["status"] not in allowed:
                found.append(f"{what['response']['status']} {what['response']['url']}")
        return [f"{self.name}: {one}" for one in found]
