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


@pytest.mark.parametrize("path", ["/refreshToken/{id}", "/api/token/teams", "/admin/user/tokens", None], ids=str)
def test_the_document_is_kept(replicas, emulator, issuer, tmp_path, path):
    (service,) = replicas(1, TEAMS_CLIENT_ID=APP, ADMIN_ROLE=OPERATOR, **issuer.entra_settings())
    # A user of Teams, as the emulator issues their token.
    status, teams_user = emulator.ask("POST", "/_emulator/entra/tokens", body={"kind": "teamsUser", "appId": APP})
    assert status == 200
    caller = issuer.entra_token(teams_user["userId"], OPERATOR)
    status, user = service.ask("POST", "/api/user", caller)
    assert status == 201

    configuration = CONFIGURATION.format(
        identity=user["acsUserIdentity"],
        teams_token=teams_user["token"],
        user=f"{TENANT} {teams_user['userId']}",
        tenant=TENANT,
        object=teams_user["userId"],
    )
    tmp_path.joinpath("schemathesis.toml").write_text(configuration)
    command = [sys.executable, "-s", "-m", "schemathesis.cli", "run", f"{service.endpoint}openapi.json"]
    command += ["--checks", "all", "--continue-on-failure", "--request-timeout", "20", "--no-color"]
    # Everything else at last, the routes of operators included: it deletes the user too.
    command += ["--include-path", path] if path else []
    run = subprocess.run(command, cwd=tmp_path, env={**os.environ, "CALLER": caller}, timeout=120)
    assert run.returncode == 0
