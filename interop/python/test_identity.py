"""The cases of azure-communication-identity's own tests that depend on the service."""

import time
from datetime import timedelta
from itertools import product

import pytest
from azure.communication.identity import CommunicationUserIdentifier
from azure.core.exceptions import HttpResponseError

from emulator import CASES, expected_error, introspect, mint_entra_token, open_client, seconds

FOREIGN_USER = CommunicationUserIdentifier(CASES["foreignUser"])

each_scope_set = pytest.mark.parametrize("scopes", CASES["scopeSets"], ids=" ".join)
each_valid_lifetime = pytest.mark.parametrize("minutes", CASES["validMinutes"])
each_invalid_lifetime = pytest.mark.parametrize("minutes", CASES["invalidMinutes"])
each_refused_exchange = pytest.mark.parametrize("case", CASES["refusedExchanges"], ids=lambda case: case["error"])


@pytest.fixture(
    scope="module",
    params=product(["sync", "async"], ["connection string", "key", "Entra ID"], CASES["apiVersions"]),
    ids=lambda param: " ".join(filter(None, param)),
)
def client(request):
    client = open_client(*request.param)
    yield client
    if request.param[0] == "async":  # the synchronous client has no close()
        client.close()


@pytest.fixture
def user(client):
    return client.create_user()


def test_api_version(client):
    urls = []
    client.create_user(raw_response_hook=lambda answer: urls.append(answer.http_request.url))
    _, newest = CASES["apiVersions"]
    assert [url.endswith(f"api-version={newest}") for url in urls] == [client.api_version == newest]


def test_create_user(client):
    assert client.create_user().properties["id"].startswith("8:acs:")


@each_scope_set
def test_create_user_and_token(client, scopes):
    user, token = client.create_user_and_token(scopes)
    assert_active(token, user, scopes)


@each_valid_lifetime
def test_create_user_and_token_with_valid_lifetime(client, minutes):
    _, token = client.create_user_and_token(["chat"], token_expires_in=timedelta(minutes=minutes))
    assert_expires_in(token, minutes)


@each_invalid_lifetime
def test_create_user_and_token_with_invalid_lifetime(client, minutes):
    with refused(f"{minutes} minutes"):
        client.create_user_and_token(["chat"], token_expires_in=timedelta(minutes=minutes))


@pytest.mark.parametrize("scopes", [None, []])
def test_create_user_and_token_without_scopes(client, scopes):
    answers = []
    # The service creates a user without a token. This client then fails to read the token that is not there.
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'token'"):
        client.create_user_and_token(scopes, raw_response_hook=lambda answer: answers.append(answer.http_response))
    assert [answer.status_code for answer in answers] == [201]
    assert '"accessToken"' not in answers[0].text()


@each_scope_set
def test_get_token(client, user, scopes):
    assert_active(client.get_token(user, scopes), user, scopes)


@each_valid_lifetime
def test_get_token_with_valid_lifetime(client, user, minutes):
    token = client.get_token(user, ["chat"], token_expires_in=timedelta(minutes=minutes))
    assert_expires_in(token, minutes)


@each_invalid_lifetime
def test_get_token_with_invalid_lifetime(client, user, minutes):
    with refused(f"{minutes} minutes"):
        client.get_token(user, ["chat"], token_expires_in=timedelta(minutes=minutes))


@pytest.mark.parametrize("scopes, error", [(None, "scopes null"), ([], "scopes empty")])
def test_get_token_without_scopes(client, user, scopes, error):
    with refused(error):
        client.get_token(user, scopes)


def test_revoke_tokens(client, user):
    token = client.get_token(user, ["chat"])
    client.revoke_tokens(user)
    assert introspect(token.token)["status"] == "revoked"


def test_delete_user(client, user):
    token = client.get_token(user, ["chat"])
    client.delete_user(user)
    assert introspect(token.token)["status"] == "identityDeleted"


# Their tests pass None for the user, which this client fails at by itself. An empty id gets to the service, but what
# that answers is not known.
@pytest.mark.parametrize(
    "operation, statuses",
    [
        (lambda client, user: client.get_token(user, ["chat"]), [401]),
        (lambda client, user: client.revoke_tokens(user), [401]),
        # Of /identities/, which is /identities, and with --strict no operation.
        (lambda client, user: client.delete_user(user), [405, 404]),
    ],
    ids=["get_token", "revoke_tokens", "delete_user"],
)
def test_no_user(client, operation, statuses):
    with pytest.raises((AttributeError, ValueError)):
        operation(client, None)
    with pytest.raises(HttpResponseError) as raised:
        operation(client, CommunicationUserIdentifier(""))
    assert raised.value.status_code in statuses


@pytest.mark.parametrize(
    "operation",
    [
        lambda client: client.get_token(FOREIGN_USER, ["chat"]),
        lambda client: client.revoke_tokens(FOREIGN_USER),
        lambda client: client.delete_user(FOREIGN_USER),
    ],
    ids=["get_token", "revoke_tokens", "delete_user"],
)
def test_foreign_user(client, operation):
    with refused("foreign user"):
        operation(client)


def test_get_token_for_teams_user(client):
    entra = mint_entra_token(kind="teamsUser")
    token = client.get_token_for_teams_user(entra["token"], entra["appId"], entra["userId"])
    assert introspect(token.token)["status"] == "active"


@each_refused_exchange
def test_get_token_for_teams_user_refused(client, case):
    entra = mint_entra_token(kind="teamsUser", **case.get("mint", {})) | case.get("send", {})
    with refused(case["error"]):
        client.get_token_for_teams_user(entra["token"], entra["appId"], entra["userId"])


def assert_active(token, user, scopes):
    answer = introspect(token.token)
    assert answer["status"] == "active"
    assert "8:" + answer["claims"]["skypeid"] == user.properties["id"]
    assert answer["claims"]["acsScope"] == ",".join(scopes)


def assert_expires_in(token, minutes):
    # AccessToken.expires_on is the service's text in this client, though its type is int.
    assert (seconds(token.expires_on) - time.time()) / 60 == pytest.approx(minutes, rel=0.05)


class refused:
    """Expects the error of this name from the block."""

    def __init__(self, name):
        self.status, self.body = expected_error(name)
        self.raises = pytest.raises(HttpResponseError)

    def __enter__(self):
        self.raised = self.raises.__enter__()

    def __exit__(self, *exception):
        suppressed = self.raises.__exit__(*exception)
        if suppressed:
            error = self.raised.value.error
            actual = {"code": error.code, "message": error.message, "target": error.target}
            assert (self.raised.value.status_code, actual) == (self.status, {"target": None} | self.body)
        return suppressed
