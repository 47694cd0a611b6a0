"""Azurite, and the program that uses it."""

import os
import pathlib
import re
import signal
import subprocess
import time
import uuid

import pytest
from azure.storage.queue import QueueClient

# Azurite's own account, whose key is public.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def eventually(check, seconds=15):
    """Returns the first true result of the check, before the deadline.

    It polls, as other processes change the queue and the table. The interval affects the speed of a test only.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def azurite():
    """The base URL of Azurite's queues."""
    command = [os.environ["AZURITE"], "--queueHost", "127.0.0.1", "--queuePort", "0"]
    command += ["--inMemoryPersistence", "--disableTelemetry"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"listens on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail("Azurite ended before it listened")
            yield f"{found[1]}/{ACCOUNT}"
        finally:
            process.kill()


class Setup:
    """A queue, a table, and the processes that use them."""

    def __init__(self, azurite, directory):
        self.directory = directory
        self.url = f"{azurite}/{uuid.uuid4()}"
        self.table = directory / "codes.db"
        self.processes = []
        self.variables = {
            "STORAGE_QUEUE_URL": self.url,
            "DATABASE_URL": f"sqlite://{self.table}?mode=rwc",
            "ATTEMPTS_PER_MINUTE": "100000",
        }

    def queue(self, poison=False, **options):
        """The queue, through Azure's client for Python."""
        # The newest version that Azurite knows.
        return QueueClient.from_queue_url(
            self.url + "-poison" * poison, credential=KEY, api_version="2025-11-05", **options
        )

    def start(self, *arguments, **variables):
        program = Program(self, arguments, variables)
        self.processes.append(program)
        return program

    def run(self, *arguments, **variables):
        """Runs the program until it exits."""
        return subprocess.run(
            [os.environ["VERIFICATION_CODES"], *arguments],
            env=self.environment(variables),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def environment(self, variables):
        # The program must reach loopback without `no_proxy`.
        inherited = {name: value for name, value in os.environ.items() if name != "no_proxy"}
        return inherited | self.variables | variables

    def written(self):
        """Everything that the processes have printed, logged and stored."""
        files = [path for path in self.directory.iterdir() if path.is_file()]
        return b"".join(path.read_bytes() for path in files).decode(errors="replace")


class Program:
    """A ready process of `serve` or `watch`."""

    def __init__(self, setup, arguments, variables):
        number = len(setup.processes)
        self.log = setup.directory / f"{number}.stderr"
        output = setup.directory / f"{number}.stdout"
        with self.log.open("w") as stderr, output.open("w") as stdout:
            self.process = subprocess.Popen(
                [os.environ["VERIFICATION_CODES"], *arguments],
                env=setup.environment(variables),
                cwd=setup.directory,
                stdout=stdout,
                stderr=stderr,
            )
        ready = "handles messages" if "watch" in arguments else "/rotate"

        def said():
            assert self.process.poll() is None, self.log.read_text()
            text = output.read_text()
            return text if ready in text and text.endswith("\n") else None

        self.output = eventually(said)
        if ready == "/rotate":
            self.url = re.search(r"listens at (\S+)", self.output)[1]
            self.rotate = re.search(r"http://\S+/rotate", self.output)[0]
            self.tokens = re.findall(r"TOKEN='(.*)'", self.output)

    def end(self):
        """Sends SIGTERM, and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def setup(azurite, tmp_path: pathlib.Path):
    setup = Setup(azurite, tmp_path)
    yield setup
    for program in setup.processes:
        program.kill()
