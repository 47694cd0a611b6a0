"""The manifest by Kubernetes' schemas, and its values beside those of the program."""

import copy
import os

import kubernetes_validate
import pytest
from manifest import CONFIGURATION, CONTAINER, DEPLOYMENT, MIGRATION, OBJECTS, POD, PORTS, PROBES, named

# The oldest version that the manifest names, and the newest that the package has.
VERSIONS = ["1.30", "1.37"]
# The program's time to close its database, after that for requests.
CLOSE_SECONDS = 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [each["kind"] + "/" + each["metadata"]["name"] for each in OBJECTS])
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
    assert named("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels


def test_volumes_are_those_of_the_manifest():
    for volume in POD["volumes"]:
        if "secret" in volume:
            assert named("Secret", volume["secret"]["secretName"])["stringData"]
            # Readable by the group of fsGroup, and for no others.
            assert volume["secret"]["defaultMode"] == 0o440
        else:
            assert named("ConfigMap", volume["configMap"]["name"])["data"]
    volumes = {volume["name"] for volume in POD["volumes"]}
    for container in (CONTAINER, MIGRATION):
        mounts = container["volumeMounts"]
        assert {mount["name"] for mount in mounts} <= volumes
        assert all(mount["readOnly"] for mount in mounts)
    assert "migration" not in {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert POD["serviceAccountName"] == named("ServiceAccount")["metadata"]["name"]


def test_pod_has_what_runc_is_not_asked_for():
    assert named("Namespace")["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert MIGRATION["securityContext"] == CONTAINER["securityContext"]
    assert POD["enableServiceLinks"] is False
    assert POD["automountServiceAccountToken"] is named("ServiceAccount")["automountServiceAccountToken"] is False
    assert all(container["resources"]["limits"]["memory"] for container in (CONTAINER, MIGRATION))


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
    assert CONFIGURATION["acs"]["replicas"] == DEPLOYMENT["replicas"] + rolling["maxSurge"]


def test_images_have_the_version():
    images = {container["image"].rpartition("/")[2] for container in (CONTAINER, MIGRATION)}
    assert images == {f"token_service:{os.environ['VERSION']}"}
