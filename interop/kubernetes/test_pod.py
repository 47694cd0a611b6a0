"""The pods of the manifests with the emulator, an issuer and PostgreSQL, whose users are those of docs/deployment.md."""

import json
import os
import subprocess
import threading
from http.client import HTTPConnection

import pytest
from issuer import AUDIENCE, Issuer
from manifest import COMMAND, CONFIGURATION, CONTAINER, MIGRATION, POD, PORTS, PROBES
from pages import block
from pod import IMAGE, SOCKETS, Pod, buildah
from processes import Emulator, psql, wait_until

SEALING_KEY = "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SERVER, _, _ = os.environ["POSTGRES_URL"].rpartition("/")


def url_of(user, database):
    """The URL of a database for a user."""
    return f"{SERVER.replace('app@', f'{user}@')}/{database}"


@pytest.fixture(scope="module")
def emulator():
    emulator = Emulator()
    yield emulator
    emulator.stop()


@pytest.fixture(scope="module")
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def database():
    """A database with the two users of the page, by an administrator who is no superuser, such as that of Azure."""
    psql(os.environ["POSTGRES_URL"], "CREATE ROLE administrator LOGIN CREATEROLE CREATEDB")
    statements = block("deployment.md", "sql", "CREATE DATABASE")
    command = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", url_of("administrator", "postgres")]
    created = subprocess.run(command, input=statements, capture_output=True, text=True)
    assert (created.returncode, created.stderr) == (0, "")
    return f"{SERVER}/tokens"


@pytest.fixture
def pod(emulator, issuer, database, tmp_path):
    at = f"@{SOCKETS.replace('/', '%2F')}/tokens"
    secrets = {
        "secrets/connection_string": emulator.ready["connectionString"],
        "secrets/database_url": f"postgres://token_service{at}",
        "secrets/sealing_keys": SEALING_KEY,
        "migration/database_url": f"postgres://token_service_owner{at}",
    }
    assert CONFIGURATION["issuer"]["audience"] == AUDIENCE
    pod = Pod(tmp_path, secrets, TOKEN_SERVICE_ISSUER_URL=issuer.url)
    yield pod
    pod.remove()


@pytest.fixture
def started(pod):
    """The container after the init container, as the kubelet starts it."""
    migration = pod.run(MIGRATION)
    assert (migration.returncode, migration.stdout) == (0, "the tables are up to date\n"), migration.stderr
    container = pod.start(CONTAINER)
    yield container
    container.stop()
    print(container.logged())


def probe(name):
    """The status of a probe's response."""
    request = PROBES[name]["httpGet"]
    connection = HTTPConnection("127.0.0.1", PORTS[request["port"]], timeout=PROBES[name]["timeoutSeconds"])
    try:
        connection.request("GET", request["path"])
        return connection.getresponse().status
    finally:
        connection.close()


def test_image_has_the_program_and_no_shell(pod):
    pod.arguments(CONTAINER)
    (container,) = pod.containers
    root = buildah("mount", container)
    files = set(os.listdir(root))
    assert {"token_service", "LICENSE", "LICENSE-DEPENDENCIES", "data"} <= files
    assert not [name for name in ("bin", "sbin", "usr/bin", "usr/sbin") if os.path.exists(f"{root}/{name}")]
    assert os.stat(f"{root}/data").st_uid == POD["securityContext"]["runAsUser"]


def test_image_agrees_with_the_manifest():
    context = POD["securityContext"]
    assert IMAGE["User"] == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert set(IMAGE["ExposedPorts"]) == {f"{port}/tcp" for port in PORTS.values()}


def test_values_of_the_manifest_are_refused(tmp_path):
    pod = Pod(tmp_path, {})
    try:
        refused = pod.run(CONTAINER)
    finally:
        pod.remove()
    assert (refused.returncode, refused.stdout) == (2, "")
    faults = [line.strip().partition(":")[0] for line in refused.stderr.splitlines()[1:]]
    assert sorted(faults) == ["acs.connection_string_file", "database.url_file", "tokens.sealing_keys_file"]


def test_container_leaves_the_tables_to_the_migration(pod):
    psql(os.environ["POSTGRES_URL"], "CREATE DATABASE empty")
    url = pod.volumes["secrets"] / "database_url"
    url.write_text(url.read_text().replace("/tokens", "/empty"))
    refused = pod.run(CONTAINER)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "run `token_service migrate`" in refused.stderr

    # The rights are those of the other database.
    owner = pod.volumes["migration"] / "database_url"
    owner.write_text(url.read_text().replace("token_service@", "app@"))
    assert pod.run(MIGRATION).returncode == 0
    refused = pod.run(CONTAINER)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "code 42501; grant the user of the URL" in refused.stderr


def test_check_finds_no_fault(pod):
    assert pod.run(MIGRATION).returncode == 0
    assert COMMAND["args"] == ["check"]
    checked = pod.run(COMMAND)
    assert checked.returncode == 0, checked.stdout
    results = [line.split(": ")[:2] for line in checked.stdout.splitlines()]
    assert ["ok", "configuration"] in results and ["ok", "database"] in results
    assert "fault" not in {result for result, *_ in results}


def test_command_has_an_actor_only_by_its_environment(started, issuer):
    assert started.ask("POST", "/api/user", issuer.token("erin"))[0] == 201
    (user,) = (each["value"] for each in COMMAND["env"] if each["name"] == "USER")
    # `kubectl exec` has the environment of the service.
    for container, actor in ((COMMAND, user), (CONTAINER, "command")):
        shown = started.pod.run({**container, "args": ["users", "show", f"{issuer.url} erin"]})
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)["userId"] == f"{issuer.url} erin"
        records = [json.loads(line) for line in shown.stderr.splitlines()]
        audited = [record for record in records if record["target"] == "token_service::audit"]
        assert [record["actor"] for record in audited] == [actor], audited


def test_restored_database_has_the_rights_of_both_users(pod, tmp_path):
    assert pod.run(MIGRATION).returncode == 0
    run = lambda commands, **variables: subprocess.run(
        ["bash", "-euc", commands], cwd=tmp_path, check=True, env={**os.environ, **variables}, timeout=60
    )
    run(block("backup.md", "sh", "pg_dump"), DATABASE_URL=url_of("token_service_owner", "tokens"))
    urls = {
        "ADMINISTRATOR_URL": url_of("administrator", "postgres"),
        "RESTORED_URL": url_of("token_service_owner", "tokens_restored"),
    }
    run(block("backup.md", "sh", "pg_restore"), **urls)
    # Both Secrets name the new database.
    for secret in ("secrets", "migration"):
        file = pod.volumes[secret] / "database_url"
        file.write_text(file.read_text().replace("/tokens", "/tokens_restored"))
    assert pod.run(MIGRATION).returncode == 0
    for command in ("check", "forget-tokens"):
        done = pod.run({**COMMAND, "args": [command]})
        assert done.returncode == 0, done.stdout + done.stderr


def test_sqlite_needs_a_writable_volume(pod, issuer):
    pod.variables |= {
        "TOKEN_SERVICE_ACS_REPLICAS": "1",
        "TOKEN_SERVICE_DATABASE_MIGRATE": "true",
        "TOKEN_SERVICE_SHUTDOWN_DELAY_SECONDS": "0",
    }
    (pod.volumes["secrets"] / "database_url").write_text("sqlite://token_service.db?mode=rwc")
    refused = pod.run(CONTAINER)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "unable to open database file" in refused.stderr
    pod.add_writable(IMAGE["WorkingDir"])
    identities = []
    for _ in range(2):
        container = pod.start(CONTAINER)
        try:
            identities.append(container.ask("POST", "/api/user", issuer.token("alice")))
            container.signal("TERM")
            assert container.process.wait() == 0
        finally:
            container.stop()
    (first, created), (second, found) = identities
    assert (first, second) == (201, 200) and created == found


def test_container_has_no_privileges(started):
    status = started.status()
    assert status["Uid"] == status["Gid"] == ["65532"] * 4
    capabilities = {name: int(value[0], 16) for name, value in status.items() if name.startswith("Cap")}
    assert len(capabilities) == 5 and set(capabilities.values()) == {0}, capabilities
    assert status["NoNewPrivs"] == ["1"]
    assert status["NSpid"][-1] == "1"
    mounts = started.mount_options()
    paths = [mount["mountPath"] for mount in CONTAINER["volumeMounts"]]
    assert {path: "ro" in mounts[path] for path in ["/", *paths]} == dict.fromkeys(["/", *paths], True)


def test_container_serves_users_by_the_database(started, issuer, emulator, database):
    assert {name: probe(name) for name in PROBES} == dict.fromkeys(PROBES, 200)
    status, answer = started.ask("POST", "/token", issuer.token("alice"))
    assert status == 200, answer
    assert emulator.introspect(answer["token"]) == "active"
    assert psql(database, "SELECT count(*) FROM tokens") == "1"
    # The API does not answer what is for operators.
    assert started.ask("GET", "/metrics")[0] == 404
    owner = psql(database, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owner == "token_service_owner"
    with pytest.raises(subprocess.CalledProcessError):
        psql(f"{database.replace('app@', 'token_service@')}", "CREATE TABLE other (name TEXT)")


def test_stopped_container_answers_until_it_is_unready(started, issuer):
    grace = threading.Timer(POD["terminationGracePeriodSeconds"], started.process.kill)
    grace.start()
    started.signal("TERM")
    wait_until(lambda: probe("readiness") == 503, "the container stayed ready")
    # The Service still sends requests here, until it has noticed.
    assert started.ask("POST", "/token", issuer.token("bob"))[0] == 200
    assert probe("liveness") == 200
    assert started.process.wait() == 0
    grace.cancel()
    assert "all requests have been answered" in started.logged()
