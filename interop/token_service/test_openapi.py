"""The service does what its OpenAPI document says, as schemathesis sees it."""

import subprocess
import sys


def test_the_document_is_kept(replicas, issuer, tmp_path):
    (service,) = replicas(1)
    command = [sys.executable, "-s", "-m", "schemathesis.cli", "run", f"{service.endpoint}openapi.json"]
    command += ["--header", f"Authorization: Bearer {issuer.token('schemathesis')}"]
    command += ["--checks", "all", "--max-examples", "60", "--generation-deterministic", "--generation-database", "none"]
    command += ["--continue-on-failure", "--request-timeout", "20", "--no-color"]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=150)
