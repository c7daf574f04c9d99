"""Checks the container files in deploy/ against their schemas. Needs what requirements.txt names; run in the repository."""

import json
import pathlib
import subprocess
import sys

import compose_spec
import kubernetes_validate
import yaml

deploy = pathlib.Path("deploy")
checked = 0

for path in sorted(deploy.glob("kubernetes/*.yaml")):
    for resource in yaml.safe_load_all(path.read_text()):
        # Of kustomize itself there is no schema here.
        if resource["kind"] == "Kustomization":
            missing = [name for name in resource["resources"] if not (path.parent / name).exists()]
            assert not missing, missing
            continue
        kubernetes_validate.validate(resource, "1.33", strict=True)
        checked += 1

text = (deploy / "compose/compose.yaml").read_text()
parsed = compose_spec.PyCompose.from_yaml(text)
parsed.validate()
compose = yaml.safe_load(text)
declared = set(compose["volumes"])
for name, service in compose["services"].items():
    assert ":" in service["image"] and not service["image"].endswith(":latest"), service["image"]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source.startswith(".") or source in declared, volume
    for secret in service.get("secrets", []):
        assert secret in compose["secrets"], secret
    for other in service.get("depends_on", {}):
        assert other in compose["services"], other
checked += len(parsed)

json.loads((deploy / "monitoring/dashboard.json").read_text())
hadolint = pathlib.Path(sys.executable).parent / "hadolint"
linted = subprocess.run([hadolint, "--no-color", deploy / "Dockerfile"], capture_output=True, text=True)
assert linted.returncode == 0, linted.stdout
print(f"{checked + 1} parts are sound")
