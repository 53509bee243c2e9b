"""What the template and the bundle say, and the hooks as an instance would run them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from conftest import ROOT, SECRETS, made_resources

DOCKER = """#!/usr/bin/env bash
echo "$*" >>"$HOME/docker-calls"
env | grep ^SPIRAL_DATABASE_ | sort >"$HOME/docker-environment" || true
exit "$(cat "$HOME/status")"
"""


def options(environment):
    # moto leaves None where the template has AWS::NoValue.
    settings = filter(None, made_resources[environment]["OptionSettings"])
    return {(option["Namespace"].split(":")[-1], option["OptionName"]): option["Value"] for option in settings}


def test_workers_know_redis_and_nothing_of_the_database(world):
    web, worker = options("WebEnvironment"), options("WorkerEnvironment")
    assert web["environment", "SPIRAL_DATABASE_URL"].startswith("postgres://spiral_api@")
    assert web["environment", "SPIRAL_OWNER_DATABASE_URL"].startswith("postgres://spiral@")
    for name in ("SPIRAL_DATABASE_URL", "SPIRAL_OWNER_DATABASE_URL"):
        assert "sslmode=verify-full" in web["environment", name]
    assert web["environmentsecrets", "SPIRAL_OWNER_DATABASE_PASSWORD"] == world.outputs["DatabaseSecret"]
    assert web["environmentsecrets", "SPIRAL_DATABASE_PASSWORD"] != world.outputs["DatabaseSecret"]
    assert web["environmentsecrets", "SPIRAL_ADMIN_TOKEN"] == world.outputs["TokenSecret"]
    assert web["environmentsecrets", "SPIRAL_VIEWER_TOKEN"] == world.outputs["ViewerTokenSecret"]
    assert web["environment", "SPIRAL_REDIS_URL"] == worker["environment", "SPIRAL_REDIS_URL"]
    assert not any("DATABASE" in name or "TOKEN" in name for _, name in worker)
    assert web["launchconfiguration", "IamInstanceProfile"] != worker["launchconfiguration", "IamInstanceProfile"]


def test_the_database_logs_no_inputs_of_callers(world):
    groups = world.client("rds").describe_db_parameter_groups()["DBParameterGroups"]
    (group,) = (group["DBParameterGroupName"] for group in groups if group["Description"] == "Spiral's database")
    found = world.client("rds").describe_db_parameters(DBParameterGroupName=group)["Parameters"]
    values = {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in found}
    assert values["log_parameter_max_length"] == values["log_parameter_max_length_on_error"] == "0"


def test_redis_evicts_nothing_and_has_a_copy(world):
    assert made_resources["CacheParameters"]["Properties"] == {"maxmemory-policy": "noeviction"}
    assert made_resources["Cache"]["ReplicasPerNodeGroup"] == 1 and made_resources["Cache"]["MultiAZEnabled"] is True


def test_nothing_but_the_instances_reaches_the_data(world):
    groups = world.client("ec2").describe_security_groups()["SecurityGroups"]
    data = [group for group in groups if group["Description"].startswith(("PostgreSQL", "Redis"))]
    assert len(data) == 2
    for group in data:
        for permission in group["IpPermissions"]:
            assert permission["IpRanges"] == [] and permission["UserIdGroupPairs"], group["Description"]


def test_who_releases_may_do_little(world):
    iam = world.client("iam")
    (policy,) = iam.list_policies(Scope="Local")["Policies"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    document = version["PolicyVersion"]["Document"]
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert "*" not in actions and not any(action.endswith(":*") for action in actions), statement["Sid"]
        if statement["Resource"] == "*":
            assert all(action.split(":")[1].startswith("Describe") for action in actions), statement["Sid"]


def test_no_output_of_the_stack_is_a_secret(world):
    said = json.dumps(world.outputs)
    assert SECRETS["SPIRAL_TOKEN"] not in said and "database-secret" not in said


def hook(world, name, **settings):
    file = world.folder / name.rsplit("/", 1)[1]
    file.write_bytes((ROOT / "aws/web/.platform/hooks" / name).read_bytes())
    file.chmod(0o755)
    return world.run(file, **settings)


def test_migrations_end_a_deployment_that_they_cannot_serve(world):
    world.program("docker", DOCKER)
    settings = {"SPIRAL_DATABASE_URL": "postgres://spiral@db/spiral", "SPIRAL_DATABASE_PASSWORD": SECRETS["SPIRAL_TOKEN"]}
    for status, expected in ((0, 0), (1, 1), (3, 3), (5, 0)):
        (world.folder / "status").write_text(str(status))
        assert hook(world, "predeploy/20_migrate.sh", **settings).returncode == expected
    calls = (world.folder / "docker-calls").read_text()
    assert "--env SPIRAL_DATABASE_PASSWORD " in calls and SECRETS["SPIRAL_TOKEN"] not in calls


def test_the_api_has_a_role_of_its_own_and_the_migrations_the_owners(world):
    world.program("docker", DOCKER)
    (world.folder / "status").write_text("0")
    api = {"SPIRAL_DATABASE_URL": "postgres://spiral_api@db/spiral", "SPIRAL_DATABASE_PASSWORD": "api-secret"}
    owner = {"SPIRAL_OWNER_DATABASE_URL": "postgres://spiral@db/spiral", "SPIRAL_OWNER_DATABASE_PASSWORD": "owner-secret"}
    assert hook(world, "predeploy/20_migrate.sh", **api, **owner).returncode == 0
    assert (world.folder / "docker-environment").read_text().split() == [
        "SPIRAL_DATABASE_API_PASSWORD=api-secret",
        "SPIRAL_DATABASE_API_ROLE=spiral_api",
        "SPIRAL_DATABASE_PASSWORD=owner-secret",
        "SPIRAL_DATABASE_URL=postgres://spiral@db/spiral",
    ]
    compose = (ROOT / "aws/web/docker-compose.yml").read_text()
    assert 'SPIRAL_OWNER_DATABASE_PASSWORD: ""' in compose and 'SPIRAL_OWNER_DATABASE_URL: ""' in compose
    # A new stack brings new settings to the release that runs: the role has to be there before these are used.
    hooks = ROOT / "aws/web/.platform"
    name = "predeploy/20_migrate.sh"
    assert (hooks / "confighooks" / name).read_bytes() == (hooks / "hooks" / name).read_bytes()


def test_certificates_are_fetched_and_kept(world):
    folder, source = world.folder / "certificates", world.folder / "bundle.pem"
    settings = {"CERTIFICATES": str(folder), "CERTIFICATES_URL": source.as_uri()}
    source.write_text("<html>moved</html>")
    assert hook(world, "predeploy/10_certificates.sh", **settings).returncode == 1, "what came is no certificate"
    source.write_text("-----BEGIN CERTIFICATE-----\n")
    assert hook(world, "predeploy/10_certificates.sh", **settings).returncode == 0
    source.write_text("<html>moved</html>")
    kept = hook(world, "predeploy/10_certificates.sh", **settings)
    assert kept.returncode == 0 and "from before" in kept.said
    assert (folder / "rds.pem").read_text().startswith("-----BEGIN CERTIFICATE")


def test_waiting_jobs_are_counted_for_the_scaling(world):
    world.program("systemctl", "#!/bin/sh\necho \"$@\" >>\"$HOME/systemctl-calls\"\n")
    world.program("aws", "#!/bin/sh\necho \"$@\" >>\"$HOME/aws-calls\"\n")
    folder, units = world.folder / "spiral", world.folder / "units"
    units.mkdir()
    done = hook(
        world, "postdeploy/10_queue_metric.sh",
        SPIRAL_FOLDER=str(folder), SYSTEMD_FOLDER=str(units), SPIRAL_VIEWER_TOKEN=SECRETS["SPIRAL_TOKEN"], SPIRAL_STACK="spiral",
    )  # fmt: skip
    assert done.returncode == 0, done.said
    settings = folder / "metrics.curl"
    assert settings.stat().st_mode & 0o077 == 0, "others may not read the token"
    assert "enable --now spiral-queue-metric.timer" in (world.folder / "systemctl-calls").read_text()
    assert f"{folder}/send-queue-metric spiral" in (units / "spiral-queue-metric.service").read_text()

    metrics = 'spiral_jobs{queue="default",state="queued"} 40\nspiral_jobs{queue="low",state="queued"} 2\n'
    metrics += 'spiral_jobs{queue="default",state="running"} 7\nspiral_jobs{queue="away",state="queued"} NaN\n'

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self):
            allowed = self.headers.get("authorization") == f"Bearer {SECRETS['SPIRAL_TOKEN']}"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(metrics.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.write_text(settings.read_text().replace(":9100", f":{server.server_port}"))
    assert world.run(folder / "send-queue-metric", "spiral").returncode == 0
    sent = (world.folder / "aws-calls").read_text()
    assert "--metric-name QueuedJobs" in sent and "--value 42 " in sent and "Stack=spiral" in sent
    metrics = 'spiral_jobs{queue="default",state="queued"} NaN\n'
    unknown = world.run(folder / "send-queue-metric", "spiral")
    assert unknown.returncode == 1 and "does not know" in unknown.said, "what is not known is not sent as none"
    server.shutdown()
    server.server_close()
