"""The manifests by Kubernetes' schemas, and its values beside those of the program."""

import copy
import os

import kubernetes_validate
import pytest
from manifest import (
    BY_FILE,
    COMMAND,
    CONFIGURATION,
    CONTAINER,
    DEPLOYMENT,
    JOB,
    MAP,
    MIGRATION,
    OBJECTS,
    POD,
    PORTS,
    PROBES,
    name_of,
    named,
)

# The oldest version that the manifest names, and the newest that the package has.
VERSIONS = ["1.30", "1.37"]
# The program's time to close its database, after that for requests.
CLOSE_SECONDS = 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [each["kind"] + "/" + name_of(each) for each in OBJECTS])
def test_object_has_its_schema(kind, version):
    assert kubernetes_validate.validate(named(*kind.split("/")), version, strict=True) == version


def mappings(value):
    """All mappings in a value."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [value] if isinstance(value, dict) else []
    return found + [each for child in children for each in mappings(child)]


def test_unknown_field_in_a_container_is_a_fault():
    changed = copy.deepcopy(named("Deployment"))
    for misspelled in mappings(changed["spec"]["template"]["spec"]["containers"]):
        if "timeoutSeconds" in misspelled:
            misspelled["timeoutSecond"] = misspelled.pop("timeoutSeconds")
    with pytest.raises(kubernetes_validate.ValidationError, match="timeoutSecond"):
        kubernetes_validate.validate(changed, VERSIONS[-1], strict=True)


def test_all_objects_are_in_the_namespace():
    for each in OBJECTS:
        assert each["metadata"].get("namespace") == (None if each["kind"] == "Namespace" else "token-service")
    assert named("Namespace")


def test_selectors_match_the_pods():
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    spread = [each["labelSelector"]["matchLabels"] for each in POD["topologySpreadConstraints"]]
    assert spread == [labels] * 2
    assert DEPLOYMENT["selector"]["matchLabels"] == labels
    assert named("Service")["spec"]["selector"] == labels
    assert named("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert named("NetworkPolicy")["spec"]["podSelector"] == {}
    # The Service sends no requests to a command, and the budget does not count it.
    assert JOB["metadata"]["labels"].items().isdisjoint(labels.items())


def test_volumes_are_those_of_the_manifest():
    for volume in POD["volumes"]:
        if "secret" in volume:
            assert named("Secret", volume["secret"]["secretName"])["stringData"]
            # Readable by the group of fsGroup, and for no others.
            assert volume["secret"]["defaultMode"] == 0o440
        else:
            assert named("ConfigMap", volume["configMap"]["name"])["data"]
    assert JOB["spec"]["volumes"] == POD["volumes"]
    volumes = {volume["name"] for volume in POD["volumes"]}
    for container in (CONTAINER, MIGRATION, COMMAND):
        mounts = container["volumeMounts"]
        assert {mount["name"] for mount in mounts} <= volumes
        assert all(mount["readOnly"] for mount in mounts)
    assert "migration" not in {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert POD["serviceAccountName"] == named("ServiceAccount")["metadata"]["name"]


def test_pod_has_what_runc_is_not_asked_for():
    assert named("Namespace")["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert MIGRATION["securityContext"] == COMMAND["securityContext"] == CONTAINER["securityContext"]
    assert POD["enableServiceLinks"] is False
    assert POD["automountServiceAccountToken"] is named("ServiceAccount")["automountServiceAccountToken"] is False
    assert all(container["resources"]["limits"]["memory"] for container in (CONTAINER, MIGRATION, COMMAND))


def test_command_runs_once_as_the_pod_does():
    fields = ("securityContext", "serviceAccountName", "automountServiceAccountToken", "enableServiceLinks")
    assert {field: JOB["spec"][field] for field in fields} == {field: POD[field] for field in fields}
    assert COMMAND["resources"] == CONTAINER["resources"]
    variables = {variable["name"]: variable["value"] for variable in COMMAND["env"]}
    assert variables.pop("USER") and variables == {each["name"]: each["value"] for each in CONTAINER["env"]}
    assert (named("Job", "command-")["spec"]["backoffLimit"], JOB["spec"]["restartPolicy"]) == (0, "Never")


def test_ports_are_those_of_the_configuration():
    assert CONFIGURATION["listen"] == f"0.0.0.0:{PORTS['api']}"
    assert CONFIGURATION["operations_listen"] == f"0.0.0.0:{PORTS['operations']}"
    (port,) = named("Service")["spec"]["ports"]
    assert port["targetPort"] == "api"
    paths = {name: (probe["httpGet"]["path"], probe["httpGet"]["port"]) for name, probe in PROBES.items()}
    assert paths == {
        "startup": ("/healthz", "operations"),
        "liveness": ("/healthz", "operations"),
        "readiness": ("/readyz", "operations"),
    }
    rules = {rule["ports"][0]["port"]: rule["from"] for rule in named("NetworkPolicy")["spec"]["ingress"]}
    assert set(rules) == set(PORTS)
    assert all(sources for sources in rules.values())


def test_times_agree_with_the_program():
    shutdown = CONFIGURATION["shutdown"]
    stopping = shutdown["delay_seconds"] + shutdown["drain_seconds"] + CLOSE_SECONDS
    assert POD["terminationGracePeriodSeconds"] > stopping
    # Unready pods leave the Service's endpoints before they stop.
    readiness = PROBES["readiness"]
    assert shutdown["delay_seconds"] >= readiness["periodSeconds"] * readiness["failureThreshold"]
    # /readyz answers within a second, and the start waits a minute for the database.
    assert all(probe["timeoutSeconds"] > 1 for probe in PROBES.values())
    assert PROBES["startup"]["periodSeconds"] * PROBES["startup"]["failureThreshold"] > 60


def test_upgrade_adds_pods_before_it_removes_any():
    rolling = DEPLOYMENT["strategy"]["rollingUpdate"]
    assert DEPLOYMENT["replicas"] >= 2 and rolling["maxUnavailable"] == 0
    # Pods that stop are not counted: the rollout can replace all before the first of them has answered its requests.
    assert CONFIGURATION["acs"]["replicas"] == 2 * DEPLOYMENT["replicas"]


def test_memory_suffices_for_tokens_and_connections():
    """The figures are those of docs/configuration.md and BENCHMARKS.md."""
    tokens = 100_000 * 4600
    connections = (110 + 250) * 2**20
    limit = CONTAINER["resources"]["limits"]["memory"]
    assert limit.endswith("Gi") and int(limit.removesuffix("Gi")) * 2**30 > tokens + connections


def test_images_and_configuration_have_the_version():
    version = os.environ["VERSION"]
    images = {container["image"].rpartition("/")[2] for container in (CONTAINER, MIGRATION, COMMAND)}
    assert images == {f"token_service:{version}"}
    # During an upgrade, each version reads the one with its name.
    assert MAP == f"configuration-{version}" and named("ConfigMap", MAP)["immutable"] is True


def test_manifest_has_no_secrets():
    """Otherwise, each upgrade would replace the values of the cluster."""
    kinds = {name: {each["kind"] for each in objects} for name, objects in BY_FILE.items()}
    assert kinds["secrets.example.yaml"] == {"Secret"} and "Secret" not in kinds["kubernetes.yaml"]
