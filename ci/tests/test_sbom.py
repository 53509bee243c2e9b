"""ci/sbom with a real syft, and with images that are made up: what is in them has to be in the lists."""

import hashlib
import io
import json
import tarfile

APK = """C:Q1p78yvTLG094tHE1+dToJGbmYzQE=
P:libspiral
V:1.2.3-r4
A:x86_64
L:MIT
"""
PAGES = {
    "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "components": [{"type": "library", "name": "react", "version": "19.3.1", "purl": "pkg:npm/react@19.3.1"}],
}
DOCKER = """#!/bin/sh
echo "$*" >>"$HOME/docker-calls"
cp "$HOME/image.tar" "$3"
"""


def tar(files):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def image(files):
    """What `docker save` gives for an image with one layer."""
    layer = tar(files)
    layers = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": layers}
    manifest = [{"Config": "config.json", "RepoTags": ["spiral:c0ffee"], "Layers": ["layer.tar"]}]
    return tar({"config.json": json.dumps(config), "manifest.json": json.dumps(manifest), "layer.tar": layer})


def test_what_is_in_the_images_is_listed(world):
    files = {
        "etc/os-release": "ID=alpine\nVERSION_ID=3.20.0\n",
        "lib/apk/db/installed": APK,
        "usr/share/doc/spiral/frontend.cdx.json": json.dumps(PAGES),
    }
    (world.folder / "image.tar").write_bytes(image(files))
    world.program("docker", DOCKER)
    done = world.run("ci/sbom", COMMIT="c0ffee", SBOM_FOLDER=str(world.folder / "lists"))
    assert done.returncode == 0, done.said
    saved = [call.split()[-1] for call in (world.folder / "docker-calls").read_text().splitlines()]
    assert saved == [f"spiral-{name}:c0ffee" for name in ("migrate", "worker", "web-api", "nginx")]
    for name in ("migrate", "worker", "web-api", "nginx"):
        listed = json.loads((world.folder / "lists" / f"{name}.cdx.json").read_text())
        assert listed["bomFormat"] == "CycloneDX" and listed["metadata"]["component"]["name"] == f"spiral-{name}"
        found = {component["name"]: component.get("version") for component in listed["components"]}
        assert found["libspiral"] == "1.2.3-r4" and found["react"] == "19.3.1"


def test_an_image_that_is_not_there_ends_it(world):
    world.program("docker", "#!/bin/sh\necho 'no such image' >&2\nexit 1\n")
    done = world.run("ci/sbom", COMMIT="c0ffee", SBOM_FOLDER=str(world.folder / "lists"))
    assert done.returncode != 0 and "no such image" in done.said
    assert list((world.folder / "lists").iterdir()) == []
