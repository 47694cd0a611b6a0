"""The commands of the emulator's README, as they stand there."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from emulator import INTEROP, READY

README = (INTEROP.parent / "crates" / "emulator" / "README.md").read_text()
USER_AND_TIME = r"8:acs:\S+ \d{4}-\d\d-\d\dT\S+\n"


def block(language):
    """The only code of this language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return code


def environment(variable):
    """The environment of a user, with a variable that names the certificate to trust."""
    variables = {name: value for name, value in os.environ.items() if name != "NODE_EXTRA_CA_CERTS"}
    variables[variable] = os.environ["EMULATOR_CA"]
    variables["COMMUNICATION_CONNECTION_STRING"] = READY["httpsConnectionString"]
    return variables


def run(command, variables, cwd=None):
    return subprocess.run(command, env=variables, cwd=cwd, check=True, capture_output=True, text=True).stdout


ASYNCHRONOUS = """
import asyncio, os
from azure.communication.identity.aio import CommunicationIdentityClient

async def main():
    connection_string = os.environ["COMMUNICATION_CONNECTION_STRING"]
    async with CommunicationIdentityClient.from_connection_string(connection_string) as client:
        user, token = await client.create_user_and_token(["chat"])
        print(user.properties["id"], token.expires_on)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("variable", "code"), [("REQUESTS_CA_BUNDLE", block("python")), ("SSL_CERT_FILE", ASYNCHRONOUS)]
)
def test_python(variable, code):
    assert re.fullmatch(USER_AND_TIME, run([sys.executable, "-s", "-c", code], environment(variable)))


def test_javascript(tmp_path):
    # A module finds packages beside itself, not by NODE_PATH.
    (tmp_path / "node_modules").symlink_to(os.environ["NODE_MODULES"])
    app = tmp_path / "app.mjs"
    app.write_text(block("js"))
    assert re.fullmatch(USER_AND_TIME, run(["node", app], environment("NODE_EXTRA_CA_CERTS")))


def test_ci_job(tmp_path):
    script = re.search(r"  run: \|\n((?:    .*\n)+)", block("yaml"))[1]
    # The job ends before the emulator does, as a job of a CI system lets it, so its number is asked for.
    script = "set -e\n" + textwrap.dedent(script) + 'echo "$!" >emulator\n'
    binary = Path(os.environ["EMULATOR_BINARY"]).resolve()
    output = tmp_path / "environment"
    variables = environment("UNUSED") | {"PATH": f"{binary.parent}:{os.environ['PATH']}", "GITHUB_ENV": str(output)}
    with (tmp_path / "log").open("w") as log:
        subprocess.run(["bash", "-c", script], env=variables, cwd=tmp_path, check=True, stderr=log)
    try:
        variables |= dict(line.split("=", 1) for line in output.read_text().splitlines())
        variables |= {"REQUESTS_CA_BUNDLE": variables["NODE_EXTRA_CA_CERTS"]}
        assert variables["COMMUNICATION_CONNECTION_STRING"] != READY["httpsConnectionString"]
        assert re.fullmatch(USER_AND_TIME, run([sys.executable, "-s", "-c", block("python")], variables))
    finally:
        os.kill(int((tmp_path / "emulator").read_text()), signal.SIGTERM)
