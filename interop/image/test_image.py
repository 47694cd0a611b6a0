"""The image as an engine runs it, by its own settings and those of compose.yaml."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml
from azure.communication.identity import CommunicationIdentityClient

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "packaging" / "image" / "compose.yaml").read_text())["services"]
ARGUMENTS = COMPOSE["acs-identity"]["command"]
CONNECTION_STRING = COMPOSE["app"]["environment"]["COMMUNICATION_CONNECTION_STRING"]
AS_OWNER = {"Authorization": "Bearer emulator"}
SURFACE = "http://acs-identity:7788/_emulator/"
USER = 65532


def buildah(*arguments):
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout


IMAGE = json.loads(buildah("inspect", "--type", "image", os.environ["IMAGE"]))["Docker"]["config"]


class Container:
    """A container of the image, with the image's own volume."""

    def __init__(self):
        self.name = buildah("from", os.environ["IMAGE"]).strip()

    def command(self, arguments):
        return ["buildah", "run", "--isolation", "chroot", self.name, "--", *arguments]

    def is_healthy(self):
        """Runs the health check of the image."""
        kind, *arguments = IMAGE["Healthcheck"]["Test"]
        assert kind == "CMD"  # without a shell, which the image lacks
        return subprocess.run(self.command(arguments), capture_output=True).returncode == 0

    @contextmanager
    def run(self, *arguments):
        """Runs it, and returns its ready line; in the end, it stops as engines stop a container."""
        command = self.command(IMAGE["Entrypoint"] + ARGUMENTS + list(arguments))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            try:
                yield json.loads(running.stdout.readline())
            finally:
                os.kill(int(process().name), signal.SIGTERM)
                assert running.wait(timeout=10) == 0

    def certificate(self):
        """The certificate that the app trusts, which buildah has in a folder for the volume."""
        (volume,) = IMAGE["Volumes"]
        assert volume == "/data"
        name = Path(COMPOSE["app"]["environment"]["REQUESTS_CA_BUNDLE"]).name
        identifier = buildah("inspect", "--format", "{{.ContainerID}}", self.name).strip()
        (path,) = Path(os.environ["IMAGES"]).glob(f"*-containers/{identifier}/userdata/buildah-volumes/*/{name}")
        return path

    def client(self):
        """The client of the app."""
        return CommunicationIdentityClient.from_connection_string(
            CONNECTION_STRING, connection_verify=str(self.certificate())
        )


@pytest.fixture
def container():
    container = Container()
    yield container
    buildah("rm", container.name)


def process():
    """The process of the emulator, by its number in the machine: the one in this network with its command."""
    network = Path("/proc/self/ns/net").readlink()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            started = (directory / "cmdline").read_text().split("\0")[: len(IMAGE["Entrypoint"])]
            if started == IMAGE["Entrypoint"] and (directory / "ns" / "net").readlink() == network:
                return directory
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    raise AssertionError("the emulator does not run")


def introspect(token, headers):
    body = json.dumps({"token": token}).encode()
    with urlopen(Request(SURFACE + "tokens/introspect", body, {"Content-Type": "application/json"} | headers)) as response:
        return json.load(response)["status"]


def test_files(container):
    files = Path(buildah("mount", container.name).strip())
    assert {path.name for path in files.iterdir()} == {"LICENSE", "LICENSE-DEPENDENCIES", "acs-identity-emulator", "data"}
    assert (files / "data").stat().st_uid == USER


def test_user(container):
    with container.run():
        ids = [line.split()[1:] for line in (process() / "status").read_text().splitlines() if line[:4] in ("Uid:", "Gid:")]
        assert ids == [[str(USER)] * 4] * 2


def test_health(container):
    with container.run():
        assert container.is_healthy()
    assert not container.is_healthy()


def test_official_client(container):
    with container.run() as ready:
        assert ready["httpsConnectionString"] == CONNECTION_STRING
        user, token = container.client().create_user_and_token(["chat"])
        assert introspect(token.token, AS_OWNER) == "active"
        container.client().delete_user(user)
        assert introspect(token.token, AS_OWNER) == "identityDeleted"


def test_control_surface_without_token(container):
    with container.run(), pytest.raises(HTTPError) as refused:
        introspect("a token", {})
    assert refused.value.code == 401


def test_data_file(container):
    options = ("--data", "/data/emulator.db")
    with container.run(*options):
        _, token = container.client().create_user_and_token(["chat"])
        certificate = container.certificate().read_text()
    with container.run(*options):
        assert introspect(token.token, AS_OWNER) == "active"
        assert container.certificate().read_text() == certificate
