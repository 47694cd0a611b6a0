"""First sign-ins over several replicas with one database: each user gets one identity, and no other is left behind."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import cycle, islice

import pytest
from processes import wait_until

CUSTOM_IDS = {"ACS_CUSTOM_IDS": "true"}


def sign_in(replica, token):
    status, answer = replica.ask("POST", "/api/user", token)
    return status, answer["acsUserIdentity"] if status in (200, 201) else answer


def sign_in_at_once(attempts):
    """All these attempts, of a replica and a token each, at the same moment."""
    start = threading.Barrier(len(attempts))

    def attempt(replica, token):
        start.wait()
        return sign_in(replica, token)

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(lambda each: attempt(*each), attempts))


def assert_one_identity(identity, emulator, database, replicas, token):
    assert identity.startswith("8:acs:")
    for replica in replicas:
        assert replica.ask("GET", "/api/user", token) == (200, {"acsUserIdentity": identity})
    assert emulator.identity_count() == 1
    assert database.count("users") == 1
    assert database.count("retired") == 0


@pytest.mark.parametrize("settings", [{}, CUSTOM_IDS], ids=["", "custom ids"])
@pytest.mark.parametrize("milliseconds", [0, 300])
def test_one_user_200_times_at_once(replicas, emulator, database, issuer, settings, milliseconds):
    started = replicas(3, **settings)
    if milliseconds:
        emulator.inject(effect="latency", milliseconds=milliseconds, operation="createIdentity")
    token = issuer.token("alice")
    answers = sign_in_at_once([(replica, token) for replica in islice(cycle(started), 200)])
    assert Counter(status for status, _ in answers) == {201: 1, 200: 199}
    (identity,) = {identity for _, identity in answers}
    assert_one_identity(identity, emulator, database, started, token)


def test_many_users_at_once(replicas, emulator, database, issuer):
    started = replicas(3)
    users = [f"user-{number}" for number in range(40)]
    tokens = [issuer.token(user) for user in users]
    attempts = [(replica, token) for token in tokens for replica in started for _ in range(2)]
    answers = sign_in_at_once(attempts)
    assert Counter(status for status, _ in answers) == {201: 40, 200: 200}
    assert len({identity for _, identity in answers}) == emulator.identity_count() == database.count("users") == 40
    for first in range(0, len(answers), 6):
        assert len({identity for _, identity in answers[first : first + 6]}) == 1
    assert database.count("retired") == 0


def test_a_replica_that_dies_before_the_identity_exists(replicas, emulator, database, issuer):
    doomed, *others = replicas(3, **CUSTOM_IDS)
    token = issuer.token("alice")
    fault = emulator.inject(effect="latency", milliseconds=600_000, times=1, operation="createIdentity")
    with ThreadPoolExecutor(101) as pool:
        lost = pool.submit(sign_in, doomed, token)
        emulator.wait_until_struck(fault)
        rest = [pool.submit(sign_in, replica, token) for replica in islice(cycle(others), 100)]
        doomed.kill()
        with pytest.raises((OSError, HTTPException)):
            lost.result()
        database.end_claims()
        answers = [each.result() for each in rest]
    assert Counter(status for status, _ in answers) == {201: 1, 200: 99}
    (identity,) = {identity for _, identity in answers}
    assert_one_identity(identity, emulator, database, others, token)


def test_a_replica_that_dies_before_the_identity_is_stored(replicas, emulator, database, issuer):
    doomed, *others = replicas(2, **CUSTOM_IDS)
    token = issuer.token("alice")
    with ThreadPoolExecutor(1) as pool, database.holding_identities():
        lost = pool.submit(sign_in, doomed, token)
        wait_until(database.is_storing, "no identity was created")
        doomed.kill()
        with pytest.raises((OSError, HTTPException)):
            lost.result()
        database.end_storing()
    database.end_claims()
    status, identity = sign_in(others[0], token)
    assert status == 201
    assert_one_identity(identity, emulator, database, others, token)


def test_a_sign_in_that_a_crash_has_left_is_finished_by_the_next_program(replicas, emulator, database, issuer):
    (doomed,) = replicas(1, **CUSTOM_IDS)
    token = issuer.token("alice")
    with ThreadPoolExecutor(1) as pool, database.holding_identities():
        lost = pool.submit(sign_in, doomed, token)
        wait_until(database.is_storing, "no identity was created")
        doomed.kill()
        with pytest.raises((OSError, HTTPException)):
            lost.result()
        database.end_storing()
    database.end_claims()
    # It sweeps as soon as it runs; nobody signs in.
    (fresh,) = replicas(1, **CUSTOM_IDS)
    wait_until(lambda: fresh.ask("GET", "/api/user", token)[0] == 200, "nobody finished the sign-in")
    _, user = fresh.ask("GET", "/api/user", token)
    assert_one_identity(user["acsUserIdentity"], emulator, database, [fresh], token)


def test_a_deleted_user_leaves_nothing(replicas, emulator, database, issuer):
    first, second, third = replicas(3)
    token = issuer.token("alice")
    _, identity = sign_in(first, token)
    for replica in (second, first, third):
        assert replica.ask("DELETE", "/api/user", token) == (204, None)
        assert replica.ask("GET", "/api/user", token)[0] == 404
        assert emulator.identity_count() == database.count("users") == database.count("retired") == 0
    status, another = sign_in(second, token)
    assert status == 201 and another != identity
