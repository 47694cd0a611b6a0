"""The program verification_codes with Azurite, from outside."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import struct
import subprocess
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy

from conftest import eventually, with_clock

CODE = re.compile(r"[A-Za-z]{3}-([1-9]\d{0,3})-[A-Za-z]{3}")
HASH_KEY = bytes(range(32))
KEYED = {"CODE_HASH_KEY": base64.b64encode(HASH_KEY).decode()}

# The failures of a request to a process that was killed.
LOST = (OSError, http.client.HTTPException)


each_table = pytest.mark.parametrize("setup", ["sqlite", "postgres"], indirect=True)


def ask(url, token=None, body=None):
    """Status and body of the response."""
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        assert error.headers["Cache-Control"] == "no-store"
        assert error.headers["Content-Type"] == "application/problem+json"
        return error.code, json.load(error)


def get_code(api, user=0):
    status, body = ask(f"{api.url}/api/v1/getcode", api.tokens[user])
    assert status == 200, body
    return body["code"]


def verify(api, code, user=0):
    return ask(f"{api.url}/api/v1/verify", api.tokens[user], {"code": code})[0]


def states(setup):
    """The states of the codes in the table."""
    return setup.table.run("SELECT state FROM verification_codes")


def length(setup):
    """The number of messages, hidden ones included."""
    return setup.queue().get_queue_properties().approximate_message_count


def hashes(setup):
    """The hashes of the codes in the table."""
    return setup.table.run("SELECT code_hash FROM verification_codes")


def stored(code, user="alice"):
    """The hash of a code, computed independently."""
    subject = struct.pack(">Q", len(user)) + user.encode()
    digest = hmac.digest(HASH_KEY, subject + code.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def activation(code):
    """The message that makes this code valid, built independently."""
    expires_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    return json.dumps(
        {
            "id": str(uuid.uuid4()),
            "code_hash": stored(code),
            "action": "activate",
            "expires_at": expires_at.isoformat(),
        }
    )


def test_without_a_token_there_is_no_code(setup):
    api = setup.start("--no-watcher")
    status, body = ask(f"{api.url}/api/v1/getcode")
    assert (status, body["code"]) == (401, "auth.authorization_header_missing")
    assert ask(f"{api.url}/api/v1/verify", body={"code": "ojE-161-pTv"})[0] == 401
    assert ask(f"{api.url}/api/v1/getcode", "ey.ey.x")[0] == 401
    assert length(setup) == 0


@each_table
def test_a_code_becomes_valid_and_is_used_once(setup):
    api = setup.start("serve", "--no-watcher")
    status, answer = ask(f"{api.url}/api/v1/getcode", api.tokens[0])
    assert status == 200
    assert sorted(answer) == ["code", "timestamp"]
    code = answer["code"]
    assert 1 <= int(CODE.fullmatch(code)[1]) <= 1000
    issued = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", answer["timestamp"]))
    assert abs(issued - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=1)

    peeked = setup.run("peek")
    assert code not in peeked.stdout
    (line,) = peeked.stdout.splitlines()
    assert json.loads(json.loads(line)["text"])["action"] == "activate"

    assert verify(api, code) == 404
    assert setup.run("peek").stdout == peeked.stdout
    setup.start("watch", **KEYED)
    eventually(lambda: states(setup) == ["valid"])
    assert verify(api, code, user=1) == 404
    assert verify(api, code) == 200
    assert verify(api, code) == 404
    assert verify(api, "ojE-161-pTv") == 404

    # The watcher logs after it has sent the second message, and the table is valid before.
    eventually(lambda: "a code was made valid" in setup.written())
    assert code not in setup.written()
    assert api.tokens[0] not in api.log.read_text()


@each_table
def test_a_code_expires_and_not_before(setup):
    # Long enough for a slow watcher: it makes no code valid whose time has come.
    api = setup.start("--no-watcher", CODE_TTL_SECONDS="10")
    asked = time.monotonic()
    code = get_code(api)
    # A watcher whose clock is ahead hides the second message for too short a time.
    (message,) = setup.queue().peek_messages()
    setup.queue().send_message(json.dumps(json.loads(message.content) | {"action": "expire"}))
    watcher = setup.start("watch", RUST_LOG="verification_codes=debug")
    hidden = lambda: watcher.log.read_text().count("its message is hidden again")
    eventually(hidden)
    eventually(lambda: states(setup) == ["valid"])
    eventually(lambda: states(setup) == ["expired"], seconds=30)
    assert time.monotonic() - asked >= 10
    assert verify(api, code) == 404
    eventually(lambda: length(setup) == 0)
    assert hidden() < 5


@pytest.mark.parametrize("offset", ["+3600s", "-3600s"])
@pytest.mark.parametrize("setup", ["postgres"], indirect=True)
def test_other_clocks_change_no_validity(setup, offset):
    api = setup.start("--no-watcher", CODE_TTL_SECONDS="10", **KEYED)
    other = setup.start("--no-watcher", **KEYED, **with_clock(offset))
    watcher = setup.start("watch", **KEYED, **with_clock(offset))
    began = time.monotonic()
    used, unused = get_code(api), get_code(api)
    eventually(lambda: states(setup) == ["valid"] * 2)
    logged = datetime.datetime.fromisoformat(watcher.log.read_text()[:19] + "+00:00")
    assert abs(logged - datetime.datetime.now(datetime.timezone.utc)) > datetime.timedelta(minutes=50)
    assert verify(other, used) == 200
    eventually(lambda: sorted(states(setup)) == ["expired", "used"], seconds=30)
    assert time.monotonic() - began >= 10
    assert verify(api, unused) == 404
    # A code of the API with the other clock.
    code = get_code(other)
    eventually(lambda: "valid" in states(setup))
    assert verify(api, code) == 200


def test_a_message_that_comes_twice_changes_nothing(setup):
    api = setup.start("--no-watcher")
    code = get_code(api)
    queue = setup.queue()
    (message,) = queue.peek_messages()
    expire = json.dumps(json.loads(message.content) | {"action": "expire"})
    queue.send_message(message.content)
    watcher = setup.start("watch")

    def handled(what, times):
        eventually(lambda: watcher.log.read_text().count(what) == times)

    handled("a code was made valid", 1)
    handled("a code had been made valid", 1)
    assert states(setup) == ["valid"]
    assert verify(api, code) == 200
    queue.send_message(message.content)
    handled("a code had been made valid", 2)
    assert verify(api, code) == 404
    for _ in range(2):
        queue.send_message(expire)
    queue.send_message(message.content)
    handled("a code had been made valid", 3)
    assert verify(api, code) == 404
    assert states(setup) == ["used"]
    # The first of the four activations has left a message for later, beside those that were sent too early.
    eventually(lambda: length(setup) == 3)


def test_what_is_no_message_is_set_aside(setup):
    setup.start("watch")
    texts = ["hello", "{'code': 'ojE-161-pTv', 'timestamp': '2020-04-15 16:54:48.816549'}", "<&>\"'가"]
    for text in texts:
        setup.queue().send_message(text)
    poison = setup.queue(poison=True)
    eventually(lambda: len(poison.peek_messages(max_messages=10)) == 3)
    eventually(lambda: length(setup) == 0)
    lines = [json.loads(line) for line in setup.run("peek", "--poison").stdout.splitlines()]
    notes = [json.loads(line["text"]) for line in lines]
    assert sorted(note["text"] for note in notes) == sorted(texts)
    assert {note["why"] for note in notes} == {"it is neither JSON nor the base64 of JSON"}
    assert setup.run("clear", "--poison").returncode == 0
    assert setup.run("peek", "--poison").stdout == ""


@each_table
def test_watchers_that_are_killed_lose_nothing(setup):
    api = setup.start("--no-watcher")
    watcher = setup.start("watch")
    watcher.pause()
    codes = [get_code(api) for _ in range(80)]
    (first,) = setup.queue().peek_messages()

    # One has received messages, and waits for the table, which another process writes to.
    with setup.table.writing():
        watcher.resume()
        eventually(lambda: setup.queue().peek_messages()[0].id != first.id)
        watcher.kill()
    eventually(lambda: len(states(setup)) <= 1)

    # One has handled some messages, and cannot handle the others.
    setup.table.refuse_rows_after(20)
    watcher = setup.start("watch")
    eventually(lambda: "was not handled" in watcher.log.read_text())
    watcher.kill()
    assert states(setup) == ["valid"] * 20
    setup.table.accept_rows()

    setup.start("watch")
    setup.start("watch")
    # What a killed one had received comes again after half a minute.
    eventually(lambda: len(states(setup)) == len(codes), seconds=45)
    assert [verify(api, code) for code in codes] == [200] * len(codes)
    assert [verify(api, code) for code in codes] == [404] * len(codes)
    assert setup.queue(poison=True).get_queue_properties().approximate_message_count == 0


@each_table
def test_one_of_two_apis_and_of_two_watchers_is_killed(setup):
    threads = 8
    apis = [setup.start("--no-watcher", **KEYED) for _ in range(2)]
    watchers = [setup.start("watch", **KEYED) for _ in range(2)]
    codes, accepted = [], []

    def issue(number):
        try:
            codes.append(get_code(apis[number % 2]))
        except LOST:
            pass

    def enter(api, code):
        try:
            if verify(api, code) == 200:
                accepted.append(code)
        except LOST:
            pass

    with ThreadPoolExecutor(threads) as pool:
        for watcher in watchers:
            watcher.pause()
        list(pool.map(issue, range(60)))
        assert len(codes) == 60
        # Each of them has received half of the messages, and waits for the table.
        with setup.table.writing():
            for watcher in watchers:
                watcher.resume()
            eventually(lambda: setup.queue().peek_messages() == [])
            watchers[0].kill()

        issuing = [pool.submit(issue, number) for number in range(100)]
        eventually(lambda: len(codes) >= 90, seconds=60)
        apis[0].kill()
        for each in issuing:
            each.result()
        # Those that the killed API had issued, and those whose messages the killed watcher had, are among them.
        eventually(lambda: {*map(stored, codes)} <= {*hashes(setup)}, seconds=60)

        third = setup.start("--no-watcher", **KEYED)
        entering = [pool.submit(enter, api, code) for code in codes for api in (apis[1], third, apis[1], third)]
        eventually(lambda: len(accepted) >= len(codes) // 4, seconds=60)
        third.kill()
        for each in entering:
            each.result()

    assert len({*accepted}) == len(accepted), "a code was accepted twice"
    # The response of an API that was killed after the use is lost: one for each thread at most.
    assert len(accepted) >= len(codes) - threads
    used = setup.table.run("SELECT code_hash FROM verification_codes WHERE state = 'used'")
    assert {*used} == {*map(stored, codes)}
    # One message for the expiry of each code, also of those whose response was lost.
    eventually(lambda: length(setup) == len(states(setup)))
    assert setup.queue(poison=True).get_queue_properties().approximate_message_count == 0


@pytest.mark.parametrize("setup", ["postgres"], indirect=True)
def test_a_server_that_ends_all_connections_loses_nothing(setup):
    api = setup.start(**KEYED)
    codes = []
    for _ in range(3):
        codes.append(get_code(api))
        setup.table.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    # A message whose handling was interrupted comes again after half a minute.
    eventually(lambda: states(setup) == ["valid"] * 3, seconds=45)
    assert [verify(api, code) for code in codes] == [200] * 3


def test_attempts_at_two_apis_are_counted_together(setup):
    apis = [setup.start("--no-watcher", ATTEMPTS_PER_MINUTE="", **KEYED) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        attempts = list(pool.map(lambda number: verify(apis[number % 2], "ojE-161-pTv"), range(14)))
    # A share of the quota comes back every six seconds.
    assert 10 <= attempts.count(404) <= 11 and attempts.count(429) == 14 - attempts.count(404)
    assert verify(apis[0], "ojE-161-pTv", user=1) == 404


def test_the_key_of_the_number_service_can_be_replaced(setup):
    api = setup.start("--no-watcher")
    get_code(api)
    for _ in range(2):
        with urllib.request.urlopen(urllib.request.Request(api.rotate, method="POST")) as response:
            assert response.status == 204
        get_code(api)
    assert api.log.read_text().count("Key Vault has another one") == 2


def test_clear_empties_the_queue(setup):
    api = setup.start("--no-watcher")
    get_code(api)
    get_code(api)
    assert len(setup.run("peek").stdout.splitlines()) == 2
    cleared = setup.run("clear")
    name = setup.url.rsplit("/", 1)[1]
    assert (cleared.returncode, cleared.stdout) == (0, f"All messages of the queue `{name}` were removed.\n")
    assert setup.run("peek").stdout == ""
    assert length(setup) == 0


@pytest.mark.parametrize("poison", [[], ["--poison"]], ids=["queue", "poison"])
@pytest.mark.parametrize("command", ["peek", "clear"])
def test_a_queue_that_there_is_not_is_not_created(setup, command, poison):
    ended = setup.run(command, *poison)
    name = setup.url.rsplit("/", 1)[1] + "-poison" * len(poison)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"there is no queue `{name}`" in ended.stderr
    for poisoned in [False, True]:
        with pytest.raises(ResourceNotFoundError):
            setup.queue(poison=poisoned).get_queue_properties()


@pytest.mark.parametrize("policy", [None, TextBase64EncodePolicy()], ids=["JSON", "base64"])
def test_a_message_of_the_client_for_python_is_understood(setup, policy):
    api = setup.start(**KEYED)
    options = {"message_encode_policy": policy} if policy else {}
    setup.queue(**options).send_message(activation("abc-161-Xyz"))
    eventually(lambda: states(setup) == ["valid"])
    assert verify(api, "abc-161-Xyz", user=1) == 404
    assert verify(api, "abc-161-Xyz") == 200


def test_a_key_for_hashes_outlives_the_process(setup):
    first = setup.start(**KEYED)
    code = get_code(first)
    eventually(lambda: states(setup) == ["valid"])
    assert first.end() == 0
    second = setup.start(**KEYED)
    assert verify(second, code) == 200


def test_attempts_are_limited(setup):
    api = setup.start("--no-watcher", ATTEMPTS_PER_MINUTE="")
    assert [verify(api, "ojE-161-pTv") for _ in range(11)] == [404] * 10 + [429]
    assert verify(api, "ojE-161-pTv", user=1) == 404


def test_an_open_api_asks_for_no_token(setup):
    api = setup.start("--open")
    status, answer = ask(f"{api.url}/api/v1/getcode")
    assert status == 200
    eventually(lambda: states(setup) == ["valid"])
    url = f"{api.url}/api/v1/verify"
    assert ask(url, body={"code": answer["code"]})[0] == 200
    assert ask(url, body={"code": answer["code"]})[0] == 404


def test_the_lines_that_are_printed_work(setup):
    api = setup.start()
    lines = [line.strip() for line in api.output.splitlines()]
    first, again, verify_line, rotate = [line for line in lines if line.startswith("curl")]
    environment = os.environ | {"TOKEN": api.tokens[0]}

    def run(line):
        return subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True).stdout

    assert " 401 " in run(first)
    code = json.loads(run(again))["code"]
    eventually(lambda: states(setup) == ["valid"])
    assert json.loads(run(verify_line.replace("...", code))) == {"verified": True}
    run(rotate)
    assert CODE.fullmatch(json.loads(run(again))["code"])


def test_a_watcher_beside_it_shares_the_table_without_being_told(setup):
    del setup.variables["DATABASE_URL"]
    setup.table.file = setup.directory / "verification_codes.db"
    api = setup.start()
    watcher = setup.start("watch")
    for program in [api, watcher]:
        assert f"The table of codes is in {setup.table.file}\n" in program.output
    codes = [get_code(api) for _ in range(20)]
    eventually(lambda: states(setup) == ["valid"] * 20)
    assert [verify(api, code) for code in codes] == [200] * 20


def test_the_first_line_says_what_it_runs_with(setup):
    first = setup.start().output.splitlines()[0]
    assert first.startswith("Without configuration: fakes in this process, until one of ")
    assert "KEY_VAULT_URL" in first


def test_where_nothing_listens_it_says_how_to_start_azurite(setup):
    ended = setup.run(STORAGE_QUEUE_URL="http://127.0.0.1:1/devstoreaccount1/code-requests")
    assert ended.returncode == 1
    assert "npx --package azurite@3.35.0 azurite-queue --queuePort 1" in ended.stderr
    assert ended.stdout.startswith("Without configuration")


def test_a_configuration_that_is_not_whole_is_refused(setup):
    wrong = {
        "KEY_VAULT_URL": "https://contoso.vault.azure.net",
        "CODE_TTL_SECONDS": "never",
        "DATABASE_URL": "mysql://codes",
        "RUST_LOG": "verification_codes=loud",
    }
    ended = setup.run(**wrong)
    assert ended.returncode == 1
    unset = ["THIRD_PARTY_API_ENDPOINT", "THIRD_PARTY_API_SECRET_NAME", "ISSUER", "ISSUER_SCOPE", "CODE_HASH_KEY"]
    for name in unset + ["CODE_TTL_SECONDS", "DATABASE_URL", "RUST_LOG"]:
        assert f"{name}: " in ended.stderr
    assert ended.stdout == ""


def test_a_misspelt_variable_does_not_start_the_fakes(setup):
    ended = setup.run(KEYVAULT_URL="https://contoso.vault.azure.net")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "KEYVAULT_URL: there is no such variable; did you mean KEY_VAULT_URL?" in ended.stderr


@pytest.mark.parametrize("credential", ["signature", "developer_tools", "managed_identity", "workload_identity"])
@pytest.mark.parametrize("command", ["serve", "watch"])
def test_missing_certificates_are_named(setup, command, credential):
    environment = {
        "STORAGE_QUEUE_URL": "https://contoso.queue.core.windows.net/codes",
        "THIRD_PARTY_API_ENDPOINT": "https://numbers.contoso.com",
        "THIRD_PARTY_API_SECRET_NAME": "key",
        "KEY_VAULT_URL": "https://contoso.vault.azure.net",
        "ISSUER": "https://login.contoso.com",
        "AUDIENCE": "https://api.contoso.com",
        "ISSUER_SCOPE": "access_as_user",
        **KEYED,
        "AZURE_TENANT_ID": "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "AZURE_CLIENT_ID": "00001111-aaaa-2222-bbbb-3333cccc4444",
        "AZURE_FEDERATED_TOKEN_FILE": __file__,
        "SSL_CERT_FILE": "/nonexistent",
        "SSL_CERT_DIR": "/nonexistent",
    }
    if credential == "signature":
        environment["STORAGE_QUEUE_URL"] += "?sv=2021-12-02&sig=c2VjcmV0"
    else:
        environment["CREDENTIAL"] = credential
    ended = setup.run(command, **environment)
    assert ended.returncode == 1
    assert "install the CA certificates of the system" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "c2VjcmV0" not in ended.stderr


def test_a_port_that_is_taken_is_named(setup):
    port = setup.start("--no-watcher").url.rsplit(":", 1)[1]
    ended = setup.run("--no-watcher", PORT=port)
    assert ended.returncode == 1
    assert f"the API cannot listen on port {port}" in ended.stderr
    assert "Set PORT to another one" in ended.stderr


def test_a_table_that_cannot_be_opened_is_named(setup):
    for command in ["serve", "watch"]:
        ended = setup.run(command, DATABASE_URL=f"sqlite://{setup.directory}/none.db")
        assert ended.returncode == 1
        assert f"the table cannot be opened in {setup.directory}/none.db" in ended.stderr
        assert "DATABASE_URL must name a file that can be written" in ended.stderr


def test_a_server_that_cannot_be_reached_is_named(setup):
    for command in ["serve", "watch"]:
        ended = setup.run(command, DATABASE_URL="postgres://app:c2VjcmV0@127.0.0.1:1/codes")
        assert ended.returncode == 1
        assert "the table cannot be opened in PostgreSQL: the connection to the database failed" in ended.stderr
        assert "DATABASE_URL must name a server that can be reached" in ended.stderr
        assert "c2VjcmV0" not in ended.stderr + ended.stdout
