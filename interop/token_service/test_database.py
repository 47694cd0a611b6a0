"""PostgreSQL that freezes, drops its connections, or is behind PgBouncer."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from processes import Service, psql, wait_until
from test_first_sign_in import sign_in

# A service has so many connections by default.
CONNECTIONS = 8
# The limit of an operation, and the time for new connections.
RECOVERY_SECONDS = 25
SEALING_KEY = "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@contextmanager
def locked_users(database):
    """No statement on the users proceeds meanwhile."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", database.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        session.stdin.write("BEGIN; LOCK TABLE users; SELECT 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "locked\n"
        yield


def waiting(database):
    """The server processes that wait for the lock."""
    statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return [int(pid) for pid in psql(database.url, statement).split()]


def test_frozen_server_processes(replicas, database, issuer):
    (service,) = replicas(1)
    tokens = [issuer.token(f"user-{number}") for number in range(CONNECTIONS)]
    frozen = []
    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            with locked_users(database):
                lost = [pool.submit(sign_in, service, token) for token in tokens]
                wait_until(lambda: len(waiting(database)) == CONNECTIONS, "not all connections wait")
                frozen = waiting(database)
                for pid in frozen:
                    os.kill(pid, signal.SIGSTOP)
            token = issuer.token("alice")
            signed_in = lambda: sign_in(service, token)[0] in (200, 201)
            wait_until(signed_in, "the service did not recover", RECOVERY_SECONDS)
            # The connections that were lost are not used again, and no other request fails.
            for number in range(20):
                status, answer = sign_in(service, issuer.token(f"later-{number}"))
                assert status == 201, answer
            assert {each.result()[0] for each in lost} <= {200, 201, 503}
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_metrics_while_the_users_are_locked(replicas, database):
    (service,) = replicas(1)
    backlog = 'token_service_backlog{kind="claims"} 0'
    read = lambda: service.answer("GET", "/metrics")[2].decode()
    with locked_users(database):
        began = time.monotonic()
        metrics = read()
        assert time.monotonic() - began < 5, "it waited for the database"
        assert "token_service_backlog{" not in metrics and "token_service_database_connections{" in metrics
    wait_until(lambda: backlog in read(), "the backlog is not counted again")


def test_server_that_ends_all_connections(replicas, database, issuer):
    (service,) = replicas(1)
    token = issuer.token("alice")
    assert sign_in(service, token)[0] == 201
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for _ in range(3):
        psql(database.url, others)
        status, answer = sign_in(service, token)
        assert status == 200, answer


@contextmanager
def pgbouncer(database):
    """The URL of the database behind PgBouncer, which pools transactions on two connections."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    server, _, name = database.url.removeprefix("postgres://app@").rpartition("/")
    folder = tempfile.mkdtemp(dir="/tmp", prefix="pgbouncer.")
    os.chmod(folder, 0o755)
    configuration = os.path.join(folder, "pgbouncer.ini")
    with open(configuration, "w") as file:
        file.write(
            f"[databases]\n{name} = host={server.replace('%2F', '/')} dbname={name} user=app\n"
            f"[pgbouncer]\nlisten_addr =\nunix_socket_dir = {folder}\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 2\n"
        )
    command = [program, "--quiet", configuration]
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        command = ["runuser", "--user", "postgres", "--", *command]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        url = f"postgres://app@{folder.replace('/', '%2F')}:6432/{name}"
        wait_until(lambda: os.path.exists(os.path.join(folder, ".s.PGSQL.6432")), "PgBouncer did not start")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        shutil.rmtree(folder)


def test_pgbouncer_that_pools_transactions(emulator, database, issuer):
    with pgbouncer(database) as url:
        pooled = f"{url}?statement-cache-capacity=0"
        settings = {"TOKENS_SEALING_KEYS": SEALING_KEY}
        with ThreadPoolExecutor(24) as pool:
            start = lambda _: Service(emulator, issuer, pooled, **settings)
            started = list(pool.map(start, range(3)))
            try:
                tokens = [issuer.token(f"user-{number}") for number in range(24)]
                for replica in started:
                    for status, answer in pool.map(lambda token: sign_in(replica, token), tokens):
                        assert status in (200, 201), answer
                issued = [replica.ask("GET", "/api/token", tokens[0]) for replica in started]
                assert len({answer["token"] for _, answer in issued}) == 1, "it is stored"
                for method, path, expected in [
                    ("DELETE", "/api/token", 204),
                    ("GET", "/api/token?fresh=true", 201),
                    ("DELETE", "/api/user", 204),
                    ("GET", "/api/user", 404),
                ]:
                    for status, answer in pool.map(lambda token: started[0].ask(method, path, token), tokens):
                        assert status == expected, answer
                assert emulator.identity_count() == 0
            finally:
                for replica in started:
                    replica.stop()


def test_missing_setting_for_pgbouncer_is_named(emulator, database, issuer):
    with pgbouncer(database) as url, pytest.raises(AssertionError, match="statement-cache-capacity=0"):
        # Without the setting, PgBouncer refuses a parameter of the connection, or statements have names.
        Service(emulator, issuer, url)
