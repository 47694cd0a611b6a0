"""A network that loses every packet between the service and PostgreSQL, without a trace."""

import os
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from processes import Service, wait_until
from test_database import RECOVERY_SECONDS
from test_first_sign_in import sign_in

# The limit of a request.
REQUEST_SECONDS = 10
READY_SECONDS = 3
REQUESTS = 8


class Network:
    """A TCP port that leads to the socket of the server, and loses packets when it is told."""

    def __init__(self, database):
        path, _, name = database.url.removeprefix("postgres://app@").rpartition("/")
        self.server = path.replace("%2F", "/") + "/.s.PGSQL.5432"
        self.passing = threading.Event()
        self.passing.set()
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"postgres://app@127.0.0.1:{self.port}/{name}?sslmode=disable"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            self.sockets += [client, server]
            for ends in (client, server), (server, client):
                threading.Thread(target=self.forward, args=ends, daemon=True).start()

    def forward(self, source, target):
        try:
            while data := source.recv(65536):
                self.passing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @contextmanager
    def losing_packets(self):
        """Loses packets by iptables. Where it cannot be used, the port accepts them, and does not forward them."""
        rules = [["INPUT", "--protocol", "tcp", f"--{side}", str(self.port), "--jump", "DROP"] for side in ("dport", "sport")]
        added = []
        try:
            for rule in rules if can_drop_packets() else []:
                subprocess.run(["iptables", "--wait", "--insert", *rule], check=True, capture_output=True)
                added.append(rule)
            if not added:
                print("without iptables, packets are held by a proxy")
                self.passing.clear()
            yield
        finally:
            for rule in added:
                subprocess.run(["iptables", "--wait", "--delete", *rule], check=True, capture_output=True)
            self.passing.set()

    def close(self):
        for each in [self.listener, *self.sockets]:
            each.close()


def can_drop_packets():
    if os.getuid() != 0 or shutil.which("iptables") is None:
        return False
    return subprocess.run(["iptables", "--wait", "--list", "INPUT"], capture_output=True).returncode == 0


def is_ready(service):
    return service.ask("GET", "/readyz")[0] == 200


def test_lost_packets(emulator, database, issuer):
    network = Network(database)
    service = Service(emulator, issuer, network.url, LIMITS_REQUEST_SECONDS=str(REQUEST_SECONDS))
    try:
        tokens = [issuer.token(f"user-{number}") for number in range(REQUESTS)]
        with ThreadPoolExecutor(REQUESTS) as pool:
            # Each of these may have a connection to the database then.
            for status, answer in pool.map(lambda token: sign_in(service, token), tokens):
                assert status == 201, answer
            with network.losing_packets():
                late = [issuer.token(f"late-{number}") for number in range(REQUESTS)]
                asked = [pool.submit(sign_in, service, token) for token in late]
                wait_until(lambda: not is_ready(service), "the loss does not show", READY_SECONDS)
                for each in asked:
                    status, answer = each.result(REQUEST_SECONDS + READY_SECONDS)
                    assert status == 503 and answer["reason"] in ("database", "timeout"), answer
            wait_until(lambda: is_ready(service), "the service did not recover", RECOVERY_SECONDS)
            # The connections that were lost are not used again, and no request fails.
            for status, answer in pool.map(lambda token: sign_in(service, token), [*tokens, *late]):
                assert status in (200, 201), answer
    finally:
        print(service.logged())
        service.stop()
        network.close()
