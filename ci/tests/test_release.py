"""ci/release and aws/rollback against moto and the stand-in of Elastic Beanstalk: every call is really made."""

import io
import subprocess
import zipfile

from conftest import DIGEST, ROOT, SECRETS

NEW = "1.4.0-0123456789ab"


def test_a_release_goes_to_the_workers_then_to_the_api(world):
    world.runs("1.3.0-before")
    done = world.run("ci/release")
    assert done.returncode == 0, done.said
    assert world.beanstalk.updates() == [("spiral-worker", f"worker-{NEW}"), ("spiral-web", f"web-{NEW}")]
    assert world.released() == {"current": NEW, "previous": "1.3.0-before"}
    # A real job, with the token from Secrets Manager.
    assert world.api.calls == ["/api/v1/functions/fibonacci/jobs?wait=30s"]
    for part in ("web", "worker"):
        bucket, key = world.beanstalk.versions[f"{part}-{NEW}"]
        assert (bucket, key) == (world.outputs["Bucket"], f"releases/{part}-{NEW}.zip")
        bundle = zipfile.ZipFile(io.BytesIO(world.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()))
        compose = bundle.read("docker-compose.yml").decode()
        images = [line.split('"')[1] for line in compose.splitlines() if line.strip().startswith("image:")]
        assert images and all(image.endswith(DIGEST) for image in images)


def test_an_environment_that_stays_red_gets_its_version_back(world):
    world.runs("1.3.0-before")
    world.beanstalk.goes[f"web-{NEW}"] = "red"
    world.beanstalk.settles_at = 1
    done = world.run("ci/release", RELEASE_SECONDS="0")
    assert done.returncode == 1
    assert world.beanstalk.updates() == [
        ("spiral-worker", f"worker-{NEW}"),
        ("spiral-web", f"web-{NEW}"),
        ("spiral-web", "web-1.3.0-before"),
        ("spiral-worker", "worker-1.3.0-before"),
    ]
    assert "not Green" in done.said and "an instance is unwell" in done.said
    assert "web-1.3.0-before and worker-1.3.0-before run again" in done.said
    assert world.released() == {}


def test_what_was_not_touched_is_not_rolled_back(world):
    world.runs("1.3.0-before")
    world.beanstalk.goes[f"worker-{NEW}"] = "given up"
    done = world.run("ci/release")
    assert done.returncode == 1 and "gave worker-1.4.0-0123456789ab up" in done.said
    assert [name for name, _ in world.beanstalk.updates()] == ["spiral-worker", "spiral-worker"]
    assert world.beanstalk.environments["spiral-worker"]["version"] == "worker-1.3.0-before"


def test_a_job_that_does_not_come_back_right_takes_the_release_back(world):
    world.runs("1.3.0-before")
    world.api.broken = lambda: "wrong" if world.beanstalk.environments["spiral-web"]["version"] == f"web-{NEW}" else None
    done = world.run("ci/release")
    assert done.returncode == 1 and "a wrong number" in done.said
    assert world.beanstalk.updates()[2:] == [("spiral-web", "web-1.3.0-before"), ("spiral-worker", "worker-1.3.0-before")]
    assert "run again" in done.said


def test_nothing_begins_while_something_is_under_way(world):
    world.runs("1.3.0-before")
    world.beanstalk.environments["spiral-web"].update(status="Launching")
    done = world.run("ci/release")
    assert done.returncode == 1 and "spiral-web is Launching, not Ready" in done.said
    assert world.beanstalk.updates() == [] and f"worker-{NEW}" not in world.beanstalk.versions


def test_the_first_release_has_nothing_to_go_back_to(world):
    for name in ("spiral-web", "spiral-worker"):
        world.beanstalk.add_environment(name, "Sample Application")
    world.beanstalk.goes[f"web-{NEW}"] = "red"
    world.beanstalk.settles_at = 1
    done = world.run("ci/release", RELEASE_SECONDS="0")
    assert done.returncode == 1 and "had no release before this one" in done.said
    assert len(world.beanstalk.updates()) == 2
    assert world.released() == {}


def test_rolling_back_by_hand(world):
    world.runs("1.3.0-before")
    world.runs(NEW)
    world.client("ssm").put_parameter(Name="/spiral/release/previous", Value="1.3.0-before", Type="String")
    done = world.run("aws/rollback")
    assert done.returncode == 0, done.said
    # The API first.
    assert world.beanstalk.updates() == [("spiral-web", "web-1.3.0-before"), ("spiral-worker", "worker-1.3.0-before")]
    assert world.released()["current"] == "1.3.0-before"

    unknown = world.run("aws/rollback", "0.9.0-gone")
    assert unknown.returncode == 1 and "no version web-0.9.0-gone" in unknown.said


def test_rolling_back_without_knowing_what_was_before(world):
    world.runs("1.3.0-before")
    done = world.run("aws/rollback")
    assert done.returncode == 1 and "aws/rollback RELEASE" in done.said
    assert world.beanstalk.updates() == []


def test_what_is_missing_is_named(world):
    world.runs("1.3.0-before")
    region = world.run("ci/release", AWS_DEFAULT_REGION=None)
    assert region.returncode == 2 and "AWS_DEFAULT_REGION is not set" in region.said
    digests = world.run("ci/release", DIGESTS_FILE="/no/such/file")
    assert digests.returncode == 2 and "/no/such/file" in digests.said and "ci/push" in digests.said
    token = world.run("ci/push", DOCKERHUB_USER="me")
    assert token.returncode == 2 and "DOCKERHUB_TOKEN is not set" in token.said


def test_the_probe_wants_the_token(world):
    done = world.run("ci/probe", world.api.url)
    assert done.returncode == 1 and "HTTP 401" in done.said
    assert world.run("ci/probe", world.api.url, SPIRAL_TOKEN=SECRETS["SPIRAL_TOKEN"]).returncode == 0
    for how, said in (("away", "HTTP 503"), ("no worker", "HTTP 202"), ("wrong", "a wrong number")):
        world.api.broken = lambda how=how: how
        done = world.run("ci/probe", world.api.url, SPIRAL_TOKEN=SECRETS["SPIRAL_TOKEN"])
        assert done.returncode == 1 and said in done.said, how
    nobody = world.run("ci/probe", "http://127.0.0.1:1")
    assert nobody.returncode == 1 and "HTTP 000" in nobody.said


def test_a_bundle_is_the_same_every_time_and_pinned(world):
    bundles = []
    for name in ("one.zip", "two.zip"):
        assert world.run("aws/bundle", "web", str(world.digests), str(world.folder / name)).returncode == 0
        bundles.append((world.folder / name).read_bytes())
    assert bundles[0] == bundles[1]
    hooks = [entry for entry in zipfile.ZipFile(world.folder / "one.zip").infolist() if entry.filename.endswith(".sh")]
    # The migrations also run when only the configuration changes: their role may be new to the database.
    assert sorted(entry.filename for entry in hooks) == [
        ".platform/confighooks/predeploy/20_migrate.sh",
        ".platform/hooks/postdeploy/10_queue_metric.sh",
        ".platform/hooks/predeploy/10_certificates.sh",
        ".platform/hooks/predeploy/20_migrate.sh",
    ]
    assert all(entry.external_attr >> 16 == 0o100755 for entry in hooks)

    loose = world.folder / "loose"
    loose.write_text("web-api=docker.io/me/spiral-web-api:latest\n")
    refused = world.run("aws/bundle", "web", str(loose), str(world.folder / "no.zip"))
    assert refused.returncode == 1 and "no image by digest" in refused.said
    loose.write_text(f"web-api=docker.io/me/spiral-web-api@{DIGEST}\n")
    refused = world.run("aws/bundle", "web", str(loose), str(world.folder / "no.zip"))
    assert refused.returncode == 1 and "no image for" in refused.said


def test_no_script_shows_what_it_runs():
    """`set -x` would show secrets, and so would a secret among the arguments of a program."""
    for script in [*ROOT.glob("ci/*"), *ROOT.glob("aws/*"), *ROOT.glob("aws/*/.platform/hooks/*/*")]:
        if script.is_file():
            text = script.read_text()
            assert "set -x" not in text and "set -eux" not in text, script
            assert '--password "' not in text, script


def test_every_script_explains_itself_and_can_be_run():
    for script in ROOT.glob("ci/*"):
        if script.is_file() and script.suffix != ".sh":
            lines = script.read_text().splitlines()
            assert lines[0] == "#!/usr/bin/env bash" and lines[1].startswith("# ") and "set -euo pipefail" in lines, script
            mode = subprocess.run(["git", "ls-files", "--stage", script], cwd=ROOT, capture_output=True, text=True).stdout
            assert not mode or mode.startswith("100755"), script
