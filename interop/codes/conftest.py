"""Azurite, and the program that uses it."""

import contextlib
import os
import pathlib
import re
import signal
import sqlite3
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


def with_clock(offset):
    """The variables of a program whose clock differs, such as by `+3600s`. Its timers are right."""
    return {
        "LD_PRELOAD": os.environ["FAKETIME_LIBRARY"],
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


class Sqlite:
    """A file with the table."""

    def __init__(self, file):
        self.file = file
        self.url = f"sqlite://{file}?mode=rwc"

    def run(self, *statements):
        """Runs the statements, and returns the texts of the last one's first column."""
        with contextlib.closing(sqlite3.connect(self.file, timeout=10)) as table, table:
            for statement in statements:
                rows = table.execute(statement).fetchall()
        return [str(row[0]) for row in rows]

    @contextlib.contextmanager
    def writing(self):
        """Locks the table against writes of other processes."""
        with contextlib.closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as table:
            table.execute("BEGIN IMMEDIATE")
            yield
            table.execute("ROLLBACK")

    def refuse_rows_after(self, count):
        """Refuses further codes when the table has so many."""
        self.run(
            f"CREATE TRIGGER full BEFORE INSERT ON verification_codes"
            f" WHEN (SELECT count(*) FROM verification_codes) = {count}"
            f" BEGIN SELECT RAISE(ABORT, 'full'); END"
        )

    def accept_rows(self):
        self.run("DROP TRIGGER full")


class Postgres:
    """A database of the server that interop/postgres/with has started."""

    def __init__(self):
        server = os.environ["POSTGRES_URL"]
        name = f"codes_{uuid.uuid4().hex}"
        self.url = server
        self.run(f"CREATE DATABASE {name}")
        self.url = f"{server.rpartition('/')[0]}/{name}"

    def command(self):
        return ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", self.url]

    def run(self, *statements):
        arguments = [f"--command={statement}" for statement in statements]
        ended = subprocess.run(self.command() + arguments, check=True, capture_output=True, text=True, timeout=30)
        return ended.stdout.split()

    @contextlib.contextmanager
    def writing(self):
        with subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            session.stdin.write("BEGIN; LOCK TABLE verification_codes IN EXCLUSIVE MODE; SELECT 'locked';\n")
            session.stdin.flush()
            assert session.stdout.readline() == "locked\n"
            yield

    def refuse_rows_after(self, count):
        self.run(
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF (SELECT count(*) FROM verification_codes) = {count} THEN RAISE EXCEPTION 'full'; END IF;"
            f" RETURN NEW; END $$",
            "CREATE TRIGGER full_table BEFORE INSERT ON verification_codes FOR EACH ROW EXECUTE FUNCTION refuse()",
        )

    def accept_rows(self):
        self.run("DROP TRIGGER full_table ON verification_codes")


class Setup:
    """A queue, a table, and the processes that use them."""

    def __init__(self, azurite, directory, table):
        self.directory = directory
        self.url = f"{azurite}/{uuid.uuid4()}"
        self.table = table
        self.processes = []
        self.variables = {
            "STORAGE_QUEUE_URL": self.url,
            "DATABASE_URL": table.url,
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

    def pause(self):
        """Stops the process, and returns once it is stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def setup(azurite, tmp_path: pathlib.Path, request):
    """With the table in SQLite, unless the test has a parameter for it."""
    is_postgres = getattr(request, "param", "sqlite") == "postgres"
    setup = Setup(azurite, tmp_path, Postgres() if is_postgres else Sqlite(tmp_path / "codes.db"))
    yield setup
    for program in setup.processes:
        program.kill()
