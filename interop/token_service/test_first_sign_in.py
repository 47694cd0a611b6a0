"""First sign-ins over several replicas with one database: each user gets one identity, and lost creations are counted."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import cycle, islice

import pytest
from processes import wait_until

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


def assert_one_identity(identity, emulator, database, replicas, token, lost=0):
    """The user has this identity at all replicas, beside so many that a crash has left."""
    assert identity.startswith("8:acs:")
    for replica in replicas:
        assert replica.ask("GET", "/api/user", token) == (200, {"acsUserIdentity": identity})
    assert emulator.identity_count() == 1 + lost
    assert database.count("users") == 1
    assert database.count("retired") == 0


def given_up(replicas):
    """The number of creations that these replicas have given up."""
    return sum(replica.metric("token_service_creations_given_up_total") for replica in replicas)


@pytest.mark.parametrize("milliseconds", [0, 300])
def test_one_user_200_times_at_once(replicas, emulator, database, issuer, milliseconds):
    started = replicas(3)
    if milliseconds:
        emulator.inject(effect="latency", milliseconds=milliseconds, operation="createIdentity")
    token = issuer.token("alice")
    answers = sign_in_at_once([(replica, token) for replica in islice(cycle(started), 200)])
    assert Counter(status for status, _ in answers) == {201: 1, 200: 199}
    (identity,) = {identity for _, identity in answers}
    assert_one_identity(identity, emulator, database, started, token)
    assert given_up(started) == 0


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
    doomed, *others = replicas(3)
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
    assert given_up(others) == 1


def test_a_replica_that_dies_before_the_identity_is_stored(replicas, emulator, database, issuer):
    doomed, *others = replicas(2)
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
    assert_one_identity(identity, emulator, database, others, token, lost=1)
    assert given_up(others) == 1


def test_a_sign_in_that_a_crash_has_left_is_given_up_by_the_next_program(replicas, emulator, database, issuer):
    (doomed,) = replicas(1)
    token = issuer.token("alice")
    with ThreadPoolExecutor(1) as pool, database.holding_identities():
        lost = pool.submit(sign_in, doomed, token)
        wait_until(database.is_storing, "no identity was created")
        doomed.kill()
        with pytest.raises((OSError, HTTPException)):
            lost.result()
        database.end_storing()
    database.end_claims()
    # It sweeps as soon as it runs, without a request.
    (fresh,) = replicas(1)
    wait_until(lambda: given_up([fresh]) == 1, "the creation was not given up")
    assert "gave up" in fresh.logged()
    assert database.count("users") == 0
    assert fresh.ask("GET", "/api/user", token)[0] == 404
    status, identity = sign_in(fresh, token)
    assert status == 201
    assert_one_identity(identity, emulator, database, [fresh], token, lost=1)
    assert given_up([fresh]) == 1


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
