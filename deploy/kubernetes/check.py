#!/usr/bin/env python3
"""check.py BINARY: the manifests against the schemas of Kubernetes, and against the program they start; and the
sample pods that it prints.

Needs PyYAML and kubernetes-validate. Fails with a line for each thing that is wrong.
"""

import pathlib
import subprocess
import sys
import tomllib

import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).parent
# appArmorProfile and recursiveReadOnly are fields since 1.30; before, the first is an annotation.
OLDEST = (1, 30)


# Hosts for whose nodes a pod is printed: confidential or with an assumption, one GPU or all.
HOSTS = ("workload-snp", "workload-tdx", "workload-hopper", "workload-renamed-resource", "bare-host")


def sample_pods(binary):
    fixtures = HERE.parent.parent / "fixtures"
    for host in HOSTS:
        for form in ("yaml", "json"):
            command = [binary, "workload", "--host", fixtures / f"{host}.host", "--format", form]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode not in (0, 3):
                sys.exit(f"{host}: {run.stderr}")
            yield f"{host} as {form}", yaml.safe_load(run.stdout)


def documents():
    for path in sorted(HERE.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document["apiVersion"].startswith("kustomize.config.k8s.io/"):
                continue
            yield path.name, document


def versions():
    """Those that the library has schemas for, from the oldest that these manifests are for."""
    schemas = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    known = {tuple(map(int, path.name[1:].split(".")[:2])) for path in schemas.glob("v*-strict")}
    return sorted(version for version in known if version >= OLDEST)


def schema_errors(binary):
    found = versions()
    pods = list(sample_pods(binary))
    if not found:
        yield "no schemas to check with"
    for version in found:
        name = ".".join(map(str, version))
        for path, document in [*documents(), *pods]:
            try:
                kubernetes_validate.validate(document, name, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = "/".join(map(str, error.path))
                yield f"{path}: {document['kind']} for {name}: {where}: {error.message}"
    print(f"{len(list(documents()))} manifests, {len(pods)} sample pods, {len(found)} versions of Kubernetes")


def container_errors(binary):
    (daemon,) = (document for _, document in documents() if document["kind"] == "DaemonSet")
    pod = daemon["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    # --help is looked at after all that stands before it has been understood.
    run = subprocess.run([binary, *container["args"], "--help"], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        yield f"{binary} does not take {container['args']}: {run.stderr.strip()}"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        command = container.get(probe, {}).get("exec", {}).get("command")
        if command:
            run = subprocess.run([binary, *command[1:], "--help"], capture_output=True, text=True, check=False)
            if run.returncode != 0:
                yield f"{binary} does not take the {probe} {command}: {run.stderr.strip()}"

    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    if volumes.keys() != mounts.keys():
        yield f"volumes and mounts differ: {sorted(volumes.keys() ^ mounts.keys())}"
    for name, mount in mounts.items():
        source = volumes[name].get("hostPath", {}).get("path")
        if source == "/" and not mount.get("readOnly"):
            yield "the host can be written to"
        if source not in (None, "/") and source != mount["mountPath"]:
            yield f"{source} is {mount['mountPath']} in the container, and the configuration knows one name"
    if container["args"][-1] != mounts["host"]["mountPath"]:
        yield "--root is not where the host is"

    security = container["securityContext"]
    if security["capabilities"] != {"drop": ["ALL"], "add": ["DAC_READ_SEARCH", "SYS_PTRACE"]}:
        yield f"other capabilities than those of the unit: {security['capabilities']}"
    if security["privileged"] or security["allowPrivilegeEscalation"] or not security["readOnlyRootFilesystem"]:
        yield "more rights than are needed"
    for key in ("hostPID", "hostNetwork", "hostIPC"):
        if pod.get(key):
            yield f"{key} is not needed"

    config = tomllib.loads((HERE / "config.toml").read_text())
    kustomization = yaml.safe_load((HERE / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    if generated["name"] != volumes["config"]["configMap"]["name"]:
        yield "the configuration that is made is not the one that is mounted"
    if config["remediate"]["mode"] != "off":
        yield "a container cannot mend its host"
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    (image,) = kustomization["images"]
    if image["name"] != container["image"] or image["newTag"] != version:
        yield f"the image is {image}, and this is version {version}"


def main():
    errors = [*schema_errors(sys.argv[1]), *container_errors(sys.argv[1])]
    for error in errors:
        print(error, file=sys.stderr)
    sys.exit(1 if errors else 0)


main()
