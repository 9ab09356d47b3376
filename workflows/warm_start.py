"""Python with its imports done, for the many short jobs of a run on one machine.

Importing PyTorch takes longer than scoring a narrow network on a test set, or than three steps of
training. While a run lasts, one process imports what its jobs ask for, once; each job `python -m
MODULE` is a fork of it: its own process, with its own arguments, environment, output and exit
status. In the shell of the jobs `python` is a function then (`shell_prefix`), so rules need not
know. Where no such process can be reached, the job starts as ever.

This file is both ends. It needs the standard library alone, because the job's end is to start at
once: `python -S workflows/warm_start.py -m MODULE ARGUMENT ...`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Any

ADDRESS = "NDR_WARM_START"
"""Environment variable of the jobs: the server's socket."""
PACKAGES = ("ndr", "reports", "workflows")
"""Modules of these are run in forks; all else starts as ever."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FIXED = (*THREADS, "PYTHONPATH")
"""Variables that are read when libraries are imported: a job that has others starts as ever."""
METHODS = ("ndr.train", "ndr.evaluate", "ndr.represent", "ndr.shipped_weights")
"""Modules that import a method when they know which: all methods are imported for them."""
LATER = {
    "ndr.train": ("ndr.training.loop", "ndr.training.resume_state"),
    "reports.figures.draw": ("pandas", "seaborn"),
}
"""What else a module imports only once it runs."""
GRACE_SECONDS = 20.0
"""What jobs have to save their state in, once the run is gone."""
_LENGTH = 8
_ACCEPTED, _DECLINED = b"y", b"n"


# ---- The run's end ----


def warm_up(shell: Any) -> None:
    """Start the server of this process, and let the jobs of Snakemake's `shell` use it.

    The server ends with this process, however that ends.
    """
    if start_server():
        # Snakemake formats it.
        shell.prefix(shell_prefix().replace("{", "{{").replace("}", "}}"))


def shell_prefix() -> str:
    """What makes `python` in the shell of a job a fork of the server."""
    client = shlex.quote(os.path.abspath(__file__))
    return f'set -euo pipefail; python() {{ command python -S {client} "$@"; }}; '


def start_server() -> bool:
    """Start it, and put its address into the environment; False where the system has no forks."""
    if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
        return False
    folder = tempfile.mkdtemp(prefix="ndr-warm-")
    address = os.path.join(folder, "socket")
    # Jobs of one thread; Snakemake tells libraries so by the same variables.
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    command = ["python", "-m", "workflows.warm_start", "--serve", address]
    # Its input is a pipe that nobody writes to: it is closed when this process is gone.
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, env=environment, start_new_session=True
    )
    os.environ[ADDRESS] = address
    atexit.register(_end, server)
    return True


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.stdin is not None:
        server.stdin.close()
    server.wait()


# ---- The job's end ----


def run_job(arguments: list[str]) -> int:
    """Have a command `python ARGUMENT ...` run by the server; returns its exit status.

    It does not return where the job starts as ever: this process becomes the job.
    """
    address = os.environ.get(ADDRESS)
    module = arguments[1] if len(arguments) > 1 and arguments[0] == "-m" else ""
    if address and module.split(".")[0] in PACKAGES:
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(address)
                return _follow(server, module, arguments[2:])
        except (OSError, _DeclinedError):
            pass
    os.execvp("python", ["python", *arguments])


class _DeclinedError(Exception):
    """The server does not run this job."""


def _follow(server: socket.socket, module: str, arguments: list[str]) -> int:
    request = {
        "module": module,
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }
    content = json.dumps(request).encode()
    socket.send_fds(server, [len(content).to_bytes(_LENGTH, "big")], [0, 1, 2])
    server.sendall(content)

    def forward(number: int, _: object) -> None:
        with contextlib.suppress(OSError):
            server.send(bytes([number]))

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    if server.recv(1) != _ACCEPTED:
        raise _DeclinedError
    # From here on the job may have begun: it must not be started a second time.
    with contextlib.suppress(OSError):
        if status := server.recv(1):
            return status[0]
    print(f"{module}: the process that ran this job is gone", file=sys.stderr)
    return 1


# ---- The server ----


class _Job:
    """A fork, and who waits for it."""

    def __init__(self, pid: int, client: socket.socket, alive: int) -> None:
        self.pid = pid
        self.client = client
        self.alive = alive
        """A pipe that is closed when the fork ends."""

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class _Server:
    def __init__(self, address: str) -> None:
        self._folder = os.getcwd()
        self._imported: set[str] = set()
        self._jobs: list[_Job] = []
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(256)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Run jobs until the run is gone; then end them."""
        last: float | None = None
        while last is None or (self._jobs and time.monotonic() < last):
            for key, _ in self._selector.select(None if last is None else 0.1):
                if key.data is not None:
                    key.data()
                    continue
                last = time.monotonic() + GRACE_SECONDS
                self._selector.unregister(sys.stdin)
                for job in self._jobs:
                    job.send_signal(signal.SIGTERM)
        for job in self._jobs:
            job.send_signal(signal.SIGKILL)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        descriptors: list[int] = []
        try:
            length, descriptors, _, _ = socket.recv_fds(client, _LENGTH, 3)
            content = b""
            while len(content) < int.from_bytes(length, "big"):
                part = client.recv(1 << 16)
                if not part:
                    raise ConnectionError("the request is cut")
                content += part
            request = json.loads(content)
            fits = self._fits(request)
            client.sendall(_ACCEPTED if fits else _DECLINED)
        except OSError:
            fits = False
        if fits:
            self._start(request, client, descriptors)
        else:
            client.close()
        for descriptor in descriptors:
            os.close(descriptor)

    def _fits(self, request: dict[str, Any]) -> bool:
        environment = request["environment"]
        same = all(environment.get(name) == os.environ.get(name) for name in FIXED)
        return same and request["folder"] == self._folder

    def _start(
        self, request: dict[str, Any], client: socket.socket, descriptors: list[int]
    ) -> None:
        self._import(request["module"])
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            self._listener.close()
            self._selector.close()
            os.close(reading)
            for job in self._jobs:
                job.client.close()
                os.close(job.alive)
            client.close()
            _become(request, descriptors)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # whoever comes first
        os.close(writing)
        job = _Job(pid, client, reading)
        self._jobs.append(job)
        self._selector.register(client, selectors.EVENT_READ, lambda: self._told(job))
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._ended(job))

    def _import(self, module: str) -> None:
        """Import what a module imports; itself it is run as `__main__`, and so not kept."""
        if module in self._imported:
            return
        self._imported.add(module)
        # What is wrong with it, the job will say.
        with contextlib.suppress(Exception):
            for name in (module, *LATER.get(module, ())):
                importlib.import_module(name)
            if module in METHODS:
                importlib.import_module("ndr.registry").method_classes()
                # The ablations' stand-ins are sized by counting operations: PyTorch's counter
                # imports this, and it takes a third of the time of scoring such a network.
                importlib.import_module("torch._dynamo")
        package, _, name = module.rpartition(".")
        sys.modules.pop(module, None)
        with contextlib.suppress(AttributeError, KeyError):
            delattr(sys.modules[package], name)
        gc.collect()
        gc.freeze()

    def _told(self, job: _Job) -> None:
        if job not in self._jobs:
            return  # it ended in the same round
        try:
            numbers = job.client.recv(16)
        except OSError:
            numbers = b""
        for number in numbers:
            job.send_signal(number)
        if not numbers:
            # Whoever waited for the job was killed: so is the job.
            self._selector.unregister(job.client)
            job.send_signal(signal.SIGKILL)

    def _ended(self, job: _Job) -> None:
        _, status = os.waitpid(job.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):
            job.client.sendall(bytes([code if code >= 0 else 128 - code]))
        with contextlib.suppress(KeyError):
            self._selector.unregister(job.client)
        self._selector.unregister(job.alive)
        os.close(job.alive)
        job.client.close()
        self._jobs.remove(job)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Be the job, in a fork: never returns."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.argv = ["-m", *request["arguments"]]
    code = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        code = _exit_code(ending)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        traceback.print_exc()
    except BaseException:
        code = 1
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _exit_code(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return (ending.code or 0) & 0xFF
    print(ending.code, file=sys.stderr)
    return 1


def _serve(address: str) -> int:
    try:
        _Server(address).serve()
    finally:
        shutil.rmtree(os.path.dirname(address), ignore_errors=True)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        raise SystemExit(_serve(sys.argv[2]))
    raise SystemExit(run_job(sys.argv[1:]))
