"""The rotation of the database's password, by docs/rotation.md."""

import secrets
import subprocess
from urllib.parse import quote

from pages import block
from processes import psql
from test_first_sign_in import sign_in

DOUBTFUL = "/?#@%:' "


def test_password_is_rotated_without_interruption(replicas, database, issuer, tmp_path):
    passwords = {user: secrets.token_hex(8) + DOUBTFUL for user in ("token_service", "token_service_b")}
    literal = lambda user: "'" + passwords[user].replace("'", "''") + "'"
    _, _, address = database.url.partition("@")
    url = lambda user: f"postgres://{user}:{quote(passwords[user], safe='')}@{address}"
    psql(database.url, "CREATE ROLE password_users")
    psql(database.url, f"CREATE ROLE token_service LOGIN PASSWORD {literal('token_service')} IN ROLE password_users")
    psql(database.url, f"ALTER DATABASE {address.rpartition('/')[2]} OWNER TO token_service")

    file = tmp_path / "database_url"
    file.write_text(url("token_service") + "\n")
    start = lambda: replicas(1, DATABASE_URL="", DATABASE_URL_FILE=str(file))[0]
    running = [start(), start()]
    token = issuer.token("alice")
    _, identity = sign_in(running[0], token)

    statements = block("rotation.md", "sql", "CREATE ROLE").replace("'…'", literal("token_service_b"))
    psql(database.url, statements + "GRANT password_users TO token_service_b")
    let_in, lock_out = block("rotation.md", "sql", "ROLE NEW"), block("rotation.md", "sql", "ROLE OLD")
    users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    turns = ("token_service", "token_service_b", "token_service", "token_service_b")
    for old, new in zip(turns, turns[1:]):
        if psql(database.url, f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{new}'") == "f":
            passwords[new] = secrets.token_hex(8) + DOUBTFUL
            psql(database.url, let_in.replace("NEW", new).replace("'…'", literal(new)))
        file.write_text(url(new) + "\n")
        for number, replica in enumerate(running):
            replica.stop()
            assert replica.process.returncode == 0
            # The other one goes on.
            assert sign_in(running[1 - number], token) == (200, identity)
            running[number] = start()
        psql(database.url, lock_out.replace("OLD", old))

        assert psql(database.url, users) == new
        for replica in running:
            assert sign_in(replica, token) == (200, identity)
        refused = subprocess.run(["psql", "--no-psqlrc", "--command", "SELECT 1", url(old)], capture_output=True)
        assert refused.returncode == 2 and b"not permitted to log in" in refused.stderr
    wrong = url("token_service_b").replace(quote(passwords["token_service_b"], safe=""), "other")
    refused = subprocess.run(["psql", "--no-psqlrc", "--command", "SELECT 1", wrong], capture_output=True)
    assert refused.returncode == 2 and b"password authentication failed" in refused.stderr
