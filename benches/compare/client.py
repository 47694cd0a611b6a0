"""Microsoft's clients for Python; see `run`. `client.py sync|aio ENDPOINT [ROOTS]`."""

import asyncio
import json
import os
import sys
import time
from datetime import datetime, timedelta
from threading import Thread

variant, endpoint, *roots = sys.argv[1:]
USER, KEY = os.environ["CALL_USER"], os.environ["CALL_KEY"]
TRUST = {"connection_verify": roots[0]} if roots else {}
ASKED = {"scopes": ["chat", "voip"], "token_expires_in": timedelta(hours=1)}


def show_answer(token):
    # This client leaves the time as the service wrote it.
    expires_on = datetime.fromisoformat(token.expires_on[:19] + "+00:00")
    show(token=len(token.token), expiresOn=int(expires_on.timestamp()))


def show(**values):
    print(json.dumps(values), flush=True)


class Measurement:
    """Counts the requests within a time, and shows the result."""

    def __init__(self, seconds):
        self.requests = 0
        self.wall, self.cpu = time.monotonic(), time.process_time()
        self.end = self.wall + float(seconds)

    def is_running(self):
        return time.monotonic() < self.end

    def show(self):
        show(requests=self.requests, wall=time.monotonic() - self.wall, cpu=time.process_time() - self.cpu)


def use_sync():
    from azure.communication.identity import CommunicationIdentityClient, CommunicationUserIdentifier
    from azure.core.credentials import AzureKeyCredential
    from azure.core.pipeline.transport import RequestsTransport

    transport = RequestsTransport(**TRUST)
    transport.open()
    for adapter in transport.session.adapters.values():
        adapter.init_poolmanager(1, 32)  # By default, more than ten threads close each other's connections.
    client = CommunicationIdentityClient(endpoint, AzureKeyCredential(KEY), transport=transport)
    user = CommunicationUserIdentifier(USER)
    client.get_token(user, **ASKED)
    show_answer(client.get_token(user, **ASKED))

    def ask(measurement):
        while measurement.is_running():
            client.get_token(user, **ASKED)
            measurement.requests += 1

    for line in sys.stdin:
        in_flight, seconds = line.split()
        measurement = Measurement(seconds)
        threads = [Thread(target=ask, args=[measurement]) for _ in range(int(in_flight))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        measurement.show()


async def use_aio():
    from azure.communication.identity import CommunicationUserIdentifier
    from azure.communication.identity.aio import CommunicationIdentityClient
    from azure.core.credentials import AzureKeyCredential

    user = CommunicationUserIdentifier(USER)
    async with CommunicationIdentityClient(endpoint, AzureKeyCredential(KEY), **TRUST) as client:
        await client.get_token(user, **ASKED)
        show_answer(await client.get_token(user, **ASKED))

        async def ask(measurement):
            while measurement.is_running():
                await client.get_token(user, **ASKED)
                measurement.requests += 1

        for line in sys.stdin:
            in_flight, seconds = line.split()
            measurement = Measurement(seconds)
            await asyncio.gather(*(ask(measurement) for _ in range(int(in_flight))))
            measurement.show()


if variant == "sync":
    use_sync()
else:
    asyncio.run(use_aio())
