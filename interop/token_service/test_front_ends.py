"""The parts that run in a browser: Microsoft's credential, and the token code of its sample front ends."""

import os
import subprocess
from pathlib import Path


def test_front_ends(replicas, emulator, issuer):
    (service,) = replicas(1)
    environment = {
        "SERVICE": service.endpoint,
        "EMULATOR": emulator.ready["controlEndpoint"],
        "ALICE": issuer.token("alice"),
        "BOB": issuer.token("bob"),
        "README": str(Path(__file__).parents[2] / "crates" / "token_service" / "README.md"),
    }
    command = ["node", "--test", "--test-timeout=60000", "--test-reporter=spec"]
    command += [str(Path(__file__).with_name("front_ends.test.js"))]
    subprocess.run(command, check=True, env={**os.environ, **environment}, timeout=120)
