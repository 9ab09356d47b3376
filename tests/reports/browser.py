"""Drives a real Chromium over the pipe of its DevTools protocol, by the standard library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PRIVATE = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The browser's own services must not reach anybody either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
KEYS = {
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "ArrowUp": 38,
    "ArrowDown": 40,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "End": 35,
    "Tab": 9,
    "+": 187,
    "-": 189,
}
TIMEOUT = 60.0


class BrowserError(RuntimeError):
    """The browser refused a command, ended, or did not answer."""


class Browser:
    """One Chromium with one page."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on descriptor 4.
        script = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        arguments = [*PRIVATE, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, CHROMIUM, *arguments, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        targets: list[dict[str, Any]] = []
        while not targets:
            found = self.send("Target.getTargets")["targetInfos"]
            targets = [target for target in found if target["type"] == "page"]
        attached = self.send("Target.attachToTarget", targetId=targets[0]["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Performance.enable", timeDomain="threadTicks")

    def close(self) -> None:
        """End the browser."""
        os.close(self._write)
        self._process.terminate()
        self._process.wait(timeout=TIMEOUT)
        os.close(self._read)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; events in between are kept in `events`."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._write, content) :]
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], TIMEOUT)[0]:
                raise BrowserError("the browser does not answer")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise BrowserError("the browser ended")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first event of a name since the events were last cleared."""
        while True:
            for one in self.events:
                if one.get("method") == event:
                    return one
            self.events.append(self._receive())

    def view(self, width: int, height: int, *, dark: bool = False, touch: bool = False) -> None:
        """Size of the window, colours of the system, and whether fingers touch it."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Load a page and wait until it is complete."""
        self.events.clear()
        self.send("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression; a promise is awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def _place(self, selector: str, across: float) -> tuple[float, float]:
        """A point inside an element that is scrolled into view, `across` from 0 to 1."""
        found = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
            " const b = e.getBoundingClientRect();"
            f" return [b.left + b.width * {across}, b.top + b.height / 2]; }})()"
        )
        return found[0], found[1]

    def click(self, selector: str, across: float = 0.5) -> None:
        """A click of the left mouse button on an element."""
        x, y = self._place(selector, across)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def touch(self, selector: str, start: float, end: float) -> None:
        """A finger that slides across an element."""
        x, y = self._place(selector, start)
        stop, _ = self._place(selector, end)
        steps = [("touchStart", x), ("touchMove", (x + stop) / 2), ("touchMove", stop)]
        for kind, at in steps:
            self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": at, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key: str, times: int = 1) -> None:
        """A key on what has the focus."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                extra = text if kind == "keyDown" else {}
                self.send(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key if len(key) > 1 else "",
                    windowsVirtualKeyCode=KEYS[key],
                    **extra,
                )

    def write(self, text: str) -> None:
        """Text into the field that has the focus."""
        self.send("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """What the window shows."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def pdf(self) -> bytes:
        """The page as it prints, with its pictures."""
        # A person's browser waits for what the page asks for then; this command does not.
        self.run(
            "dispatchEvent(new Event('beforeprint')), Promise.all([...document.images]"
            ".map(image => image.decode().catch(() => 0)))"
        )
        printed = self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(printed["data"])

    def requested(self) -> list[str]:
        """Addresses asked for since the page was opened, files and inlined data left out."""
        self.settle()
        asked = self._parameters("Network.requestWillBeSent")
        # What the page's policy stops is announced as well, but never leaves.
        failed = self._parameters("Network.loadingFailed")
        stopped = {one["requestId"] for one in failed if one.get("blockedReason") == "csp"}
        addresses = {one["request"]["url"] for one in asked if one["requestId"] not in stopped}
        return sorted(a for a in addresses if a.split(":")[0] not in {"file", "data", "about"})

    def _parameters(self, event: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self.events if one.get("method") == event]

    def processor_milliseconds(self) -> float:
        """Time that the page's thread has worked: a busy machine does not add to it."""
        metrics = {m["name"]: m["value"] for m in self.send("Performance.getMetrics")["metrics"]}
        return 1000 * metrics["TaskDuration"]

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and what the policy refused."""
        self.settle()
        found = []
        for event in self.events:
            content = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(content)[:500])
            elif event.get("method") == "Log.entryAdded":
                found.append(content["entry"]["text"])
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(json.dumps(content["args"])[:500])
        return found

    def settle(self) -> None:
        """Let what was started come to its end: two frames and a moment."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        time.sleep(0.05)
        self.run("0")
