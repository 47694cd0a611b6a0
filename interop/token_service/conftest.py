"""The parts that the tests share."""

from contextlib import ExitStack

import pytest
from issuer import Issuer
from processes import Database, Emulator, Service


@pytest.fixture(scope="session")
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture
def emulator():
    emulator = Emulator()
    yield emulator
    emulator.stop()


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def replicas(emulator, issuer, database, request):
    """Starts so many replicas; their logs are shown when the test fails."""
    with ExitStack() as stack:

        def start(count, **settings):
            replicas = []
            for _ in range(count):
                replicas.append(Service(emulator, issuer, database.url, **settings))
                stack.callback(replicas[-1].stop)
                stack.callback(lambda replica=replicas[-1]: print(replica.logged()))
            return replicas

        yield start
