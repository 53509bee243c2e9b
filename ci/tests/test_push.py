"""ci/push with a Docker that writes down what it is asked: tags, digests, and how it logs in."""

from conftest import DIGEST, SECRETS

DOCKER = r"""#!/usr/bin/env bash
echo "$*" >>"$HOME/docker-calls"
case "$1 $2" in
    "login --username") echo "stdin: $(cat)" >>"$HOME/docker-login"; [[ ! -f $HOME/refuse ]] ;;
    "image inspect")
        name="${@: -1}"
        printf 'elsewhere.example/other@sha256:%064d\n' 1
        echo "${name%:*}@DIGEST" | sed 's|^docker.io/||' ;;
esac
""".replace("DIGEST", DIGEST)


def pushed(world):
    calls = (world.folder / "docker-calls").read_text().splitlines()
    return [call.split()[-1] for call in calls if call.startswith("push ")]


def push(world, **settings):
    world.program("docker", DOCKER)
    (world.folder / "docker-calls").unlink(missing_ok=True)
    settings = {"DOCKERHUB_USER": "me", "DOCKERHUB_TOKEN": SECRETS["DOCKERHUB_TOKEN"], "COMMIT": "c0ffee"} | settings
    return world.run("ci/push", DIGESTS_FILE=str(world.folder / "pushed"), **settings)


def test_images_are_tagged_by_what_is_built(world):
    for settings, tags in (
        ({"BRANCH": "main"}, {"c0ffee", "latest"}),
        ({"BRANCH": "v1.4.0", "TAG": "v1.4.0", "VERSION": None}, {"c0ffee", "1.4.0"}),
        ({"BRANCH": "elsewhere"}, {"c0ffee"}),
    ):
        done = push(world, **settings)
        assert done.returncode == 0, done.said
        images = pushed(world)
        assert {image.rsplit(":", 1)[1] for image in images} == tags
        assert {image.rsplit(":", 1)[0] for image in images} == {
            f"docker.io/me/spiral-{name}" for name in ("migrate", "worker", "web-api", "nginx")
        }


def test_digests_are_written_for_the_release(world):
    assert push(world).returncode == 0
    lines = (world.folder / "pushed").read_text().splitlines()
    assert lines == [f"{name}=docker.io/me/spiral-{name}@{DIGEST}" for name in ("migrate", "worker", "web-api", "nginx")]
    for part in ("web", "worker"):
        assert world.run("aws/bundle", part, str(world.folder / "pushed"), str(world.folder / "b.zip")).returncode == 0


def test_the_token_goes_through_standard_input_alone(world):
    assert push(world).returncode == 0
    assert (world.folder / "docker-login").read_text() == f"stdin: {SECRETS['DOCKERHUB_TOKEN']}\n"
    assert SECRETS["DOCKERHUB_TOKEN"] not in (world.folder / "docker-calls").read_text()


def test_a_login_that_is_refused_ends_it(world):
    (world.folder / "refuse").touch()
    done = push(world)
    assert done.returncode != 0 and pushed(world) == [] and not (world.folder / "pushed").exists()


def test_what_is_pushed_is_what_was_built_and_tested(world):
    """ci/images builds each image once, under the tag that the compose test takes and the one that ci/push takes."""
    world.program("docker", DOCKER)
    world.program("syft", "#!/bin/sh\nfor last; do :; done\necho '{\"purl\": 1}' >\"${last#*=}\"\n")
    world.program("tested", "#!/bin/sh\nwc -l <\"$HOME/docker-calls\" >\"$HOME/built-before\"\n")
    done = world.run("ci/images", COMMIT="c0ffee", COMPOSE_TEST="tested")
    assert done.returncode == 0, done.said
    calls = (world.folder / "docker-calls").read_text().splitlines()
    calls = [call for call in calls if call.startswith("build ")]
    assert len(calls) == 4 and (world.folder / "built-before").read_text().strip() == "4"
    for call, name in zip(calls, ("migrate", "worker", "web-api", "nginx"), strict=True):
        assert f"--tag spiral-{name}:c0ffee " in call and f"--tag spiral-{name}:test " in call
        assert "--label org.opencontainers.image.revision=c0ffee" in call and "--build-arg VERSION=1.4.0" in call

    world.program("tested", "#!/bin/sh\nexit 1\n")
    saved = world.folder / "images.tar.gz"
    done = world.run("ci/images", COMMIT="c0ffee", COMPOSE_TEST="tested", IMAGES_FILE=str(saved))
    assert done.returncode == 1 and not saved.exists(), "what did not pass is not handed on"


def test_the_tests_of_a_change_see_no_secret(world):
    """What ci/test starts gets nothing of what the later steps are given."""
    checkout = world.folder / "checkout"
    (checkout / "ci").mkdir(parents=True)
    (checkout / ".ci").mkdir()
    from conftest import ROOT

    (checkout / "ci/test").write_bytes((ROOT / "ci/test").read_bytes())
    (checkout / "ci/test").chmod(0o755)
    (checkout / ".ci/run").write_text("#!/usr/bin/env bash\nenv\n")
    (checkout / ".ci/run").chmod(0o755)
    done = world.run(checkout / "ci/test", **SECRETS, DOCKERHUB_USER="me")
    assert done.returncode == 0 and "PATH=" in done.said
    assert "DOCKERHUB" not in done.said and "AWS_SECRET" not in done.said
