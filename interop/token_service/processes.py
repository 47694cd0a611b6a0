"""The emulator, replicas of the service, and their database."""

import json
import os
import subprocess
import tempfile
import threading
import uuid
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from issuer import AUDIENCE

READY_SECONDS = 60
ANSWER_SECONDS = 60

HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE UPDATE OF identity ON users FOR EACH ROW EXECUTE FUNCTION hold();
"""

# Those that wait for it.
STORING = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Program:
    """A program that prints a line of JSON when it is ready."""

    def __init__(self, binary, *arguments, **environment):
        self.log = tempfile.TemporaryFile()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOKEN_SERVICE_")}
        self.process = subprocess.Popen(
            [binary, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**inherited, **environment},
        )
        too_slow = threading.Timer(READY_SECONDS, self.process.kill)
        too_slow.start()
        line = self.process.stdout.readline()
        too_slow.cancel()
        if not line:
            self.stop()
            raise AssertionError(f"{binary} was not ready:\n{self.logged()}")
        self.ready = json.loads(line)
        self.endpoint = self.ready["endpoint"]

    def ask(self, method, path, token=None, body=None):
        """Status and JSON of an answer."""
        status, _, content = self.answer(method, path, token, body)
        return status, json.loads(content) if content else None

    def answer(self, method, path, token=None, body=None):
        """Status, headers and content of an answer."""
        connection = HTTPConnection(urlsplit(self.endpoint).netloc, timeout=ANSWER_SECONDS)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.stdout.close()

    def logged(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


class Emulator(Program):
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.certificate = os.path.join(self.folder.name, "ca.pem")
        super().__init__(os.environ["EMULATOR_BINARY"], "--ca-out", self.certificate)

    def identity_count(self):
        status, resource = self.ask("GET", "/_emulator/identities")
        assert status == 200
        return resource["total"]

    def inject(self, **fault):
        status, injected = self.ask("POST", "/_emulator/faults", body=fault)
        assert status == 201, injected
        return injected["id"]

    def wait_until_struck(self, fault, times=1):
        def hits():
            _, faults = self.ask("GET", "/_emulator/faults")
            return next(each["hits"] for each in faults["faults"] if each["id"] == fault)

        wait_until(lambda: hits() >= times, f"fault {fault} did not strike")

    def introspect(self, token):
        status, claims = self.ask("POST", "/_emulator/tokens/introspect", body={"token": token})
        assert status == 200
        return claims["status"]


class Service(Program):
    """A replica."""

    def __init__(self, emulator, issuer, database, **settings):
        configured = {
            "LISTEN": "127.0.0.1:0",
            "ACS_CONNECTION_STRING": emulator.ready["connectionString"],
            "DATABASE_URL": database,
            "ISSUER_KIND": "oidc",
            "ISSUER_URL": issuer.url,
            "ISSUER_AUDIENCE": AUDIENCE,
            "LIMITS_REQUESTS_PER_MINUTE": "100000",
            "LIMITS_ACS_COSTS_PER_HOUR": "1000000",
            "LIMITS_FRESH_TOKENS_PER_HOUR": "1000000",
            "LOG_FILTER": "warn",
            **settings,
        }
        variables = {f"TOKEN_SERVICE_{name}": value for name, value in configured.items()}
        super().__init__(os.environ["TOKEN_SERVICE_BINARY"], **variables)

    def metric(self, series):
        """A metric's value."""
        status, _, content = self.answer("GET", "/metrics")
        assert status == 200
        (value,) = (line.split()[1] for line in content.decode().splitlines() if line.startswith(f"{series} "))
        return int(value)


class Database:
    """A database of the server that interop/postgres/with has started."""

    def __init__(self):
        server = os.environ["POSTGRES_URL"]
        name = f"interop_{uuid.uuid4().hex}"
        psql(server, f"CREATE DATABASE {name}")
        self.url = f"{server.rpartition('/')[0]}/{name}"

    def end_claims(self):
        """Has every claim end now, as it would by itself after a while."""
        psql(self.url, "UPDATE users SET claimed_until = 0 WHERE identity IS NULL")

    def count(self, table):
        return int(psql(self.url, f"SELECT count(*) FROM {table}"))

    def is_storing(self):
        """Whether a replica waits for the identities that are held."""
        return psql(self.url, f"SELECT count(*) FROM {STORING}") != "0"

    def end_storing(self):
        """Ends what waits, as the server does by itself when it finds that its client is gone."""
        psql(self.url, f"SELECT pg_terminate_backend(pid) FROM {STORING}")

    @contextmanager
    def holding_identities(self):
        """Replicas that store an identity wait until this is over."""
        psql(self.url, HOLD)
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", self.url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            session.stdin.write("SELECT 'held' FROM pg_advisory_lock(1);\n")
            session.stdin.flush()
            assert session.stdout.readline() == "held\n"
            yield


def psql(url, statement):
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", statement, url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=ANSWER_SECONDS).stdout.strip()


def wait_until(condition, otherwise, seconds=ANSWER_SECONDS):
    """Asks again and again, as fast as answers come."""
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    try:
        while not condition():
            assert not over.is_set(), otherwise
    finally:
        timer.cancel()
