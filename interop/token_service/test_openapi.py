"""The service's OpenAPI document is one, and the service does what it says, as schemathesis sees it."""

import os
import subprocess
import sys
import uuid

import pytest
from issuer import TENANT
from openapi_spec_validator import OpenAPIV31SpecValidator

APP = str(uuid.uuid4())
OPERATOR = "TokenService.Operator"
# Routes that need a user whom the run over everything deletes, and that run.
ALONE = ["/refreshToken/{id}", "/api/token/teams", "/api/token/teams-phone", "/admin/user/tokens", None]

# The token comes from the environment, so that no output shows it.
CONFIGURATION = """
headers = {{ Authorization = "Bearer ${{CALLER}}" }}
generation = {{ deterministic = true, max-examples = 60 }}
warnings = {{ fail-on = true }}

[parameters]
"path.id" = "{identity}"
"header.teams-user-aad-token" = "{teams_token}"
"query.id" = "{user}"
"path.tenantId" = "{tenant}"
"path.objectId" = "{object}"
"""


@pytest.mark.parametrize("role", [None, OPERATOR], ids=str)
def test_the_document_is_valid(replicas, role):
    (service,) = replicas(1, **({"ADMIN_ROLE": role} if role else {}))
    status, document = service.ask("GET", "/openapi.json")
    assert status == 200
    assert document["openapi"].startswith("3.1.")
    assert any(path.startswith("/admin/") for path in document["paths"]) == bool(role)
    OpenAPIV31SpecValidator(document).validate()


def teams_user(emulator):
    """A user of Teams and of Teams Phone, with an Entra token for both."""
    scopes = ["Teams.ManageCalls", "Teams.ManageChats", "TeamsExtension.ManageCalls"]
    request = {"kind": "teamsUser", "tenantId": TENANT, "appId": APP, "scopes": scopes}
    status, user = emulator.ask("POST", "/_emulator/entra/tokens", body=request)
    assert status == 200, user
    assignment = {"tenantId": TENANT, "objectId": user["userId"], "principalType": "user", "clientIds": [APP]}
    status, refusal = emulator.ask("PUT", "/_emulator/state", body={"teamsExtensionAssignments": [assignment]})
    assert status == 204, refusal
    return user


@pytest.mark.parametrize("path", ALONE, ids=str)
def test_the_document_is_kept(replicas, emulator, issuer, tmp_path, monkeypatch, path):
    monkeypatch.setenv("SSL_CERT_FILE", emulator.certificate)
    settings = {"TEAMS_CLIENT_ID": APP, "TEAMS_PHONE": "true", "ADMIN_ROLE": OPERATOR, **issuer.entra_settings()}
    (service,) = replicas(1, ACS_CONNECTION_STRING=emulator.ready["httpsConnectionString"], **settings)
    teams = teams_user(emulator)
    caller = issuer.entra_token(teams["userId"], OPERATOR)
    status, user = service.ask("POST", "/api/user", caller)
    assert status == 201

    configuration = CONFIGURATION.format(
        identity=user["acsUserIdentity"],
        teams_token=teams["token"],
        user=f"{TENANT} {teams['userId']}",
        tenant=TENANT,
        object=teams["userId"],
    )
    tmp_path.joinpath("schemathesis.toml").write_text(configuration)
    command = [sys.executable, "-s", "-m", "schemathesis.cli", "run", f"{service.endpoint}openapi.json"]
    command += ["--checks", "all", "--continue-on-failure", "--request-timeout", "20", "--no-color"]
    # Everything else at last, the routes of operators included: it deletes the user too.
    command += ["--include-path", path] if path else []
    run = subprocess.run(command, cwd=tmp_path, env={**os.environ, "CALLER": caller}, timeout=120)
    assert run.returncode == 0
