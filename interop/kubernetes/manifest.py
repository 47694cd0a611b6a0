"""The objects of the files for Kubernetes in packaging/token_service/."""

from pathlib import Path

import tomli
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = ("kubernetes.yaml", "secrets.example.yaml", "command.yaml")
FOLDER = ROOT / "packaging" / "token_service"
BY_FILE = {name: list(yaml.safe_load_all((FOLDER / name).read_text())) for name in FILES}
OBJECTS = [each for objects in BY_FILE.values() for each in objects]


def name_of(each):
    """The name of an object, or its beginning if the cluster completes it."""
    return each["metadata"].get("name") or each["metadata"]["generateName"]


def named(kind, name="token-service"):
    (found,) = (each for each in OBJECTS if (each["kind"], name_of(each)) == (kind, name))
    return found


DEPLOYMENT = named("Deployment")["spec"]
POD = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]
(MIGRATION,) = POD["initContainers"]
JOB = named("Job", "command-")["spec"]["template"]
(COMMAND,) = JOB["spec"]["containers"]
(MAP,) = (volume["configMap"]["name"] for volume in POD["volumes"] if "configMap" in volume)
FILE = named("ConfigMap", MAP)["data"]["token_service.toml"]
CONFIGURATION = tomli.loads(FILE)
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
PROBES = {name: CONTAINER[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
