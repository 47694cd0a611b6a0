"""The steps of docs/backup.md, with PostgreSQL."""

import os
import shlex
import subprocess

from pages import block
from processes import psql
from test_first_sign_in import sign_in

SEALING_KEY = "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def run(commands, directory, **variables):
    subprocess.run(["bash", "-euc", commands], cwd=directory, check=True, env={**os.environ, **variables}, timeout=60)


def token(service, caller):
    status, answer = service.ask("GET", "/api/token", caller)
    assert status == 201, answer
    return answer["token"]


def test_restore_loses_what_came_after_the_backup(replicas, emulator, database, issuer, tmp_path):
    stopped = first, second = replicas(2, TOKENS_SEALING_KEYS=SEALING_KEY)
    callers = {user: issuer.token(user) for user in ("alice", "bob", "carol", "dave")}
    identities = {user: sign_in(first, callers[user])[1] for user in ("alice", "bob", "carol")}
    revoked = token(first, callers["bob"])
    # The replicas go on meanwhile.
    run(block("backup.md", "sh", "pg_dump"), tmp_path, DATABASE_URL=database.url)

    status, lost = sign_in(second, callers["dave"])
    assert status == 201
    assert second.ask("DELETE", "/api/token", callers["bob"])[0] == 204
    assert second.ask("DELETE", "/api/user", callers["carol"])[0] == 204
    assert emulator.introspect(revoked) == "revoked"
    for replica in stopped:
        replica.stop()

    restored = f"{database.url}_restored"
    commands = block("backup.md", "sh", "pg_restore").replace("tokens_restored", restored.rpartition("/")[2])
    # One user is the administrator and the owner here; interop/kubernetes has both.
    commands = commands.replace("token_service_owner", "app")
    run(commands, tmp_path, ADMINISTRATOR_URL=database.url, RESTORED_URL=restored)
    assert psql(restored, "SELECT count(*) FROM tokens") == "0"
    assert psql(restored, "SELECT count(*) FROM users") == "3"
    assert first.run("forget-tokens", DATABASE_URL=restored).startswith("0 stored tokens are forgotten")
    deletion = block("backup.md", "sh", "users delete").replace("https://login.contoso.com alice", f"{issuer.url} carol")
    first.run(*shlex.split(deletion)[1:], DATABASE_URL=restored)

    database.url = restored
    third, fourth = replicas(2, TOKENS_SEALING_KEYS=SEALING_KEY)
    for user in ("alice", "bob"):
        assert fourth.ask("GET", "/api/user", callers[user]) == (200, {"acsUserIdentity": identities[user]})
    assert emulator.introspect(token(fourth, callers["bob"])) == "active"
    for user, before in (("carol", identities["carol"]), ("dave", lost)):
        assert third.ask("GET", "/api/user", callers[user])[0] == 404
        status, another = sign_in(third, callers[user])
        assert status == 201 and another != before
    # Those of alice, bob, carol and dave, and the one that dave had.
    assert emulator.identity_count() == 5
