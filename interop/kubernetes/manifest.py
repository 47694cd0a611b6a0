"""The objects of packaging/token_service/kubernetes.yaml."""

from pathlib import Path

import tomli
import yaml

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = list(yaml.safe_load_all((ROOT / "packaging" / "token_service" / "kubernetes.yaml").read_text()))


def named(kind, name="token-service"):
    (found,) = (each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


DEPLOYMENT = named("Deployment")["spec"]
POD = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]
(MIGRATION,) = POD["initContainers"]
FILE = named("ConfigMap", "configuration")["data"]["token_service.toml"]
CONFIGURATION = tomli.loads(FILE)
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
PROBES = {name: CONTAINER[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
