"""The emulator that interop/run started, the clients for it, and the responses that they must get."""

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path
from urllib.request import Request, urlopen

from azure.communication.identity import CommunicationIdentityClient, aio
from azure.core.credentials import AccessToken, AzureKeyCredential

INTEROP = Path(__file__).parent.parent
CASES = json.loads((INTEROP / "cases.json").read_text())

READY = json.loads(os.environ["EMULATOR_READY"])
TRUST = {"connection_verify": os.environ["EMULATOR_CA"]}


def open_client(kind, credential, api_version):
    """A client, whose methods block even if it is asynchronous.

    Without an api-version, it sends its default one.

    The asynchronous one signs the decoded path. That is also what aiohttp sends of an ordinary id; of any other, the
    emulator accepts it unless it is strict.
    """
    client_type, entra_type = {
        "sync": (CommunicationIdentityClient, EntraCredential),
        "async": (aio.CommunicationIdentityClient, AsyncEntraCredential),
    }[kind]
    options = TRUST | ({"api_version": api_version} if api_version else {})
    # Connection strings always mean https to this client, even if their endpoint begins with http://.
    connection_string = READY["httpsConnectionString"]
    # With the slash at the end of the endpoint, this client would sign a host that ends with it.
    endpoint = READY["httpsEndpoint"].rstrip("/")
    if credential == "connection string":
        client = client_type.from_connection_string(connection_string, **options)
    elif credential == "key":
        key = AzureKeyCredential(connection_string.partition("accesskey=")[2])
        client = client_type(endpoint, key, **options)
    else:
        client = client_type(endpoint, entra_type(), **options)
    client = client if kind == "sync" else Blocking(client)
    client.api_version = api_version
    return client


class Blocking:
    """An asynchronous client with the methods of the synchronous one."""

    def __init__(self, client):
        self.client = client
        self.loop = asyncio.new_event_loop()

    def close(self):
        self.loop.run_until_complete(self.client.close())
        self.loop.close()

    def __getattr__(self, name):
        method = getattr(self.client, name)
        return lambda *args, **kwargs: self.loop.run_until_complete(method(*args, **kwargs))


class EntraCredential:
    def get_token(self, *scopes, **_):
        assert scopes == ("https://communication.azure.com//.default",)
        answer = mint_entra_token(kind="service")
        return AccessToken(answer["token"], seconds(answer["expiresOn"]))


class AsyncEntraCredential:
    async def get_token(self, *scopes, **options):
        return EntraCredential().get_token(*scopes, **options)


def mint_entra_token(**request):
    return control("entra/tokens", request)


def introspect(token):
    return control("tokens/introspect", {"token": token})


def control(path, body):
    headers = {"Content-Type": "application/json"}
    request = Request(READY["controlEndpoint"] + path, json.dumps(body).encode(), headers)
    with urlopen(request) as response:
        return json.load(response)


def expected_error(name):
    """Status and body of an error, as recorded from the service."""
    expected = CASES["errors"][name]
    if "recording" not in expected:
        return expected["status"], expected["body"]
    path = INTEROP.parent / "testdata" / "recordings" / (expected["recording"] + ".json")
    response = json.loads(path.read_text())["exchanges"][-1]["response"]
    return response["status"], response["body"]["error"]


def seconds(expires_on):
    """The time in a timestamp with any number of digits after the second, which older Pythons do not parse."""
    return int(datetime.fromisoformat(expires_on[:19] + "+00:00").timestamp())
