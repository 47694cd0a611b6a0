"""Containers of the image, as a kubelet has them run by runc: by the manifest's fields, without a kubelet."""

import itertools
import json
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from manifest import FILE, POD, named
from processes import Program

NUMBERS = itertools.count()
# The folder of PostgreSQL's socket.
SOCKETS = "/run/postgresql"


def buildah(*arguments):
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()


IMAGE = json.loads(buildah("inspect", "--type", "image", os.environ["IMAGE"]))["Docker"]["config"]


class Pod:
    """Volumes, and a root folder for each container."""

    def __init__(self, directory, secrets, **variables):
        """`secrets` are values in place of those of the manifest, and `variables` are added to each container's."""
        self.directory = directory
        self.variables = variables
        self.writable = {}
        self.volumes = {}
        self.containers = []
        for volume in POD["volumes"]:
            folder = self.volumes[volume["name"]] = directory / "volumes" / volume["name"]
            folder.mkdir(parents=True)
            if "configMap" in volume:
                (folder / "token_service.toml").write_text(FILE)
                continue
            manifest = named("Secret", volume["secret"]["secretName"])["stringData"]
            for name, value in manifest.items():
                path = folder / name
                path.write_text(secrets.get(f"{volume['name']}/{name}", value))
                path.chmod(volume["secret"]["defaultMode"])
                os.chown(path, 0, POD["securityContext"]["fsGroup"])

    def add_writable(self, path):
        """Adds a volume that the containers write to."""
        folder = self.writable[path] = self.directory / "volumes" / "writable"
        folder.mkdir()
        os.chown(folder, POD["securityContext"]["runAsUser"], POD["securityContext"]["runAsGroup"])

    def arguments(self, container):
        """The command that runs a container of the manifest, and its name."""
        name = f"{container['name']}-{next(NUMBERS)}"
        bundle = self.directory / name
        bundle.mkdir()
        built = buildah("from", os.environ["IMAGE"])
        self.containers.append(built)
        root = buildah("mount", built)
        bundle.joinpath("config.json").write_text(json.dumps(self.specification(container, root)))
        return ["runc", *self.options(), "run", "--bundle", str(bundle), name], name

    def options(self):
        return ["--root", str(self.directory / "state")]

    def specification(self, container, root):
        """The OCI runtime specification of a container."""
        context, pod = container["securityContext"], POD["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        none = dict.fromkeys(["bounding", "effective", "inheritable", "permitted", "ambient"], [])
        variables = {variable["name"]: variable["value"] for variable in container["env"]} | self.variables
        binds = {mount["mountPath"]: self.volumes[mount["name"]] for mount in container["volumeMounts"]}
        server = Path(unquote(urlsplit(os.environ["POSTGRES_URL"]).netloc.rpartition("@")[2]))
        binds[f"{SOCKETS}/.s.PGSQL.5432"] = server / ".s.PGSQL.5432"
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        ]
        for path, source in binds.items():
            mounts.append({"destination": path, "type": "bind", "source": str(source), "options": ["bind", "ro"]})
        for path, source in self.writable.items():
            mounts.append({"destination": path, "type": "bind", "source": str(source), "options": ["bind", "rw"]})
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": pod["runAsUser"], "gid": pod["runAsGroup"], "additionalGids": [pod["fsGroup"]]},
                "args": IMAGE["Entrypoint"] + container.get("args", IMAGE.get("Cmd") or []),
                "env": IMAGE["Env"] + [f"{name}={value}" for name, value in variables.items()],
                "cwd": IMAGE["WorkingDir"],
                "capabilities": none,
                "noNewPrivileges": not context["allowPrivilegeEscalation"],
            },
            "root": {"path": root, "readonly": context["readOnlyRootFilesystem"]},
            "mounts": mounts,
            # The network is that of the test.
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
        }

    def run(self, container):
        """Runs a container until it ends."""
        command, _ = self.arguments(container)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def start(self, container):
        """Starts a container, and waits for its ready line."""
        command, name = self.arguments(container)
        return Container(self, command, name)

    def remove(self):
        for container in self.containers:
            buildah("rm", container)


class Container(Program):
    def __init__(self, pod, command, name):
        self.pod, self.name = pod, name
        super().__init__(*command)

    def runc(self, *arguments):
        command = ["runc", *self.pod.options(), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def signal(self, name):
        self.runc("kill", self.name, name)

    def status(self):
        """The fields of the process in /proc."""
        pid = json.loads(self.runc("state", self.name))["pid"]
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}

    def mount_options(self):
        """The options of each mount that the process sees."""
        pid = json.loads(self.runc("state", self.name))["pid"]
        lines = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
        return {fields[4]: fields[5].split(",") for fields in lines}

    def stop(self):
        if self.process.poll() is None:
            self.runc("kill", self.name, "KILL")
        super().stop()
