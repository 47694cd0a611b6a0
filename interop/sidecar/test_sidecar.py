"""Microsoft's client of the sidecar with the fake sidecar that the tests of entra_sidecar use.

The client has the unauthenticated header and the health only. Its expectations there show that the fake sidecar is right.
"""

import asyncio
import json
import os

import jwt
import pytest
from microsoft_agents.authentication.entra_auth_sidecar import SidecarAuth, SidecarHttpClient
from microsoft_agents.authentication.entra_auth_sidecar._models import SidecarRequestOptions
from microsoft_agents.authentication.entra_auth_sidecar.errors import SidecarAuthError, SidecarConfigurationError
from microsoft_agents.authentication.entra_auth_sidecar.sidecar_token_credential import SidecarTokenCredential

READY = json.loads(os.environ["FAKE_READY"])
SCOPE = "https://api.botframework.com/.default"
AUDIENCE = "https://api.botframework.com"
AGENT = "a9a8f3de-6a8d-4c52-a1c6-91f3d3ab4f10"
USER = "7d0f1b0e-2a55-4ed8-9f83-5a1fb1cf7a01"
UPN = "agent@contoso.com"


def run(url, ask, **options):
    """Returns the result of a call by a client of a sidecar."""

    async def session():
        client = SidecarHttpClient(url, retry_count=0, **options)
        try:
            return await ask(client)
        finally:
            await client.aclose()

    return asyncio.run(session())


def header(url, api, **options):
    request = SidecarRequestOptions(**options)
    return run(url, lambda client: client.get_authorization_header_unauthenticated(api, request))


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def test_header():
    result = header(READY["url"], "default")
    assert result.scheme == "Bearer"
    assert claims(result.token)["aud"] == AUDIENCE
    assert claims(result.token)["appid"] == READY["clientId"]


def test_overrides_and_agents_are_ignored_by_default():
    result = header(READY["url"], "default", scopes=["https://vault.azure.net/.default"], agent_identity=AGENT)
    assert claims(result.token)["aud"] == AUDIENCE
    assert claims(result.token)["appid"] == READY["clientId"]


def test_overrides_and_agents_where_they_are_allowed():
    url = READY["openUrl"]
    result = header(url, "default", scopes=["https://vault.azure.net/.default"], agent_identity=AGENT)
    assert claims(result.token)["aud"] == "https://vault.azure.net"
    assert claims(result.token)["appid"] == AGENT
    by_name = header(url, "default", agent_identity=AGENT, agent_username=UPN)
    assert claims(by_name.token)["upn"] == UPN
    by_id = header(url, "default", agent_identity=AGENT, agent_user_id=USER, force_refresh=True, tenant="contoso.com")
    assert claims(by_id.token)["oid"] == USER


@pytest.mark.parametrize("url, forced", [("url", "0"), ("openUrl", "1")])
def test_tokens_are_cached_unless_forced(url, forced):
    def number(**options):
        return claims(header(READY[url], "numbered", **options).token)["jti"]

    assert [number(), number(), number(force_refresh=True), number()] == ["0", "0", forced, forced]


@pytest.mark.parametrize("url, healthy", [("url", True), ("unhealthyUrl", False)])
def test_environment_names_the_sidecar(monkeypatch, url, healthy):
    monkeypatch.setenv("SIDECAR_URL", READY[url])
    assert run(None, lambda client: client.is_healthy()) == healthy


def test_an_api_that_is_not_configured_is_a_400_not_a_404():
    with pytest.raises(ValueError) as raised:
        header(READY["url"], "unknown")
    assert not isinstance(raised.value, SidecarConfigurationError)
    assert "400: Bad Request" in str(raised.value)


def test_a_token_that_cannot_be_acquired_is_a_401_with_a_title():
    with pytest.raises(SidecarAuthError, match="401: Unauthorized") as raised:
        header(READY["url"], "refused")
    assert "AADSTS" not in str(raised.value)


def test_an_api_for_users_is_a_401_without_one():
    with pytest.raises(SidecarAuthError, match="401: Unauthorized"):
        header(READY["url"], "Graph")


@pytest.mark.parametrize("url, healthy", [("url", True), ("unhealthyUrl", False)])
def test_health(url, healthy):
    assert run(READY[url], lambda client: client.is_healthy()) == healthy


class Configuration:
    """An agent's configuration with these settings only."""

    def __init__(self, **settings):
        self.__dict__.update(settings)

    def __getattr__(self, _):
        return None


def provider():
    return SidecarAuth(Configuration(sidecar_base_url=READY["openUrl"], scopes=[SCOPE]))


def test_credential():
    async def session():
        auth = provider()
        token = await SidecarTokenCredential(None, provider=auth).get_token(SCOPE)
        await auth.close()
        return token

    token = asyncio.run(session())
    assert claims(token.token)["aud"] == AUDIENCE
    assert claims(token.token)["exp"] == token.expires_on


def test_agentic_tokens():
    async def session():
        auth = provider()
        try:
            return (
                await auth.get_agentic_application_token(READY["tenantId"], AGENT),
                await auth.get_agentic_instance_token(READY["tenantId"], AGENT),
                await auth.get_agentic_user_token(READY["tenantId"], AGENT, USER, [SCOPE]),
                await auth.get_agentic_user_token(READY["tenantId"], AGENT, UPN, [SCOPE]),
            )
        finally:
            await auth.close()

    application, (instance, _), by_id, by_name = asyncio.run(session())
    assert claims(application)["aud"] == "api://AzureADTokenExchange"
    assert claims(instance)["appid"] == AGENT
    assert claims(by_id)["oid"] == USER
    assert claims(by_name)["upn"] == UPN
