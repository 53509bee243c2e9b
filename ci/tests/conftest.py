"""An AWS for the tests: moto with the stack of aws/template.yaml, and for each test the stand-ins for what moto lacks."""

import os
import subprocess
from pathlib import Path

import boto3
# Imported first, so that the stand-ins below come after its own resources, and take their place where both are there.
import moto.cloudformation.parsing  # noqa: F401
import pytest
from moto.core.common_models import CloudFormationModel
from moto.server import ThreadedMotoServer

from stand_ins import Api, Beanstalk

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"
DIGEST = "sha256:" + "5" * 64
# Whoever prints one of these is found out.
SECRETS = {"AWS_SECRET_ACCESS_KEY": "aws-secret-7f3a", "DOCKERHUB_TOKEN": "docker-secret-91bc", "SPIRAL_TOKEN": "spiral-secret-c04d"}


made_resources = {}
secret_arns = {}


def stand_in_for(kind, name_property=None):
    """A resource of the template that moto does not make: it keeps what it was asked for. moto finds it as a subclass."""

    class Resource(CloudFormationModel):
        # moto sorts its resources by the service that the module is called after.
        __module__ = "moto.elasticbeanstalk.models"

        def __init__(self, name, properties):
            self.properties = properties
            known_as = properties.get(name_property, name)
            self.physical_resource_id = secret_arns.get(known_as, known_as)
            # moto calls it STACK-RESOURCE-RANDOM.
            made_resources[name.split("-")[1]] = properties

        @staticmethod
        def cloudformation_name_type():
            return ""

        @staticmethod
        def cloudformation_type():
            return kind

        @classmethod
        def has_cfn_attr(cls, attr):
            return True

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            return cls(resource_name, cloudformation_json["Properties"])

        @classmethod
        def update_from_cloudformation_json(cls, original_resource, *_):
            return original_resource

        @classmethod
        def delete_from_cloudformation_json(cls, *_):
            pass

        def get_cfn_attribute(self, attribute_name):
            return "6379" if attribute_name.endswith("Port") else f"{self.physical_resource_id.lower()}.example.internal"

        def is_created(self):
            return True

    return Resource


STAND_INS = [
    stand_in_for("AWS::ElasticBeanstalk::Application", "ApplicationName"),
    stand_in_for("AWS::ElasticBeanstalk::Environment", "EnvironmentName"),
    stand_in_for("AWS::ElastiCache::ReplicationGroup"),
    stand_in_for("AWS::RDS::DBInstance"),
    stand_in_for("AWS::ElastiCache::ParameterGroup"),
    stand_in_for("AWS::ElastiCache::SubnetGroup"),
    stand_in_for("AWS::S3::BucketPolicy"),
    stand_in_for("AWS::SecretsManager::Secret", "Name"),
]


@pytest.fixture(scope="session")
def aws_url():
    """moto, for everything but Elastic Beanstalk."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client_of(aws_url, service):
    return boto3.client(service, region_name=REGION, endpoint_url=aws_url, aws_access_key_id="x", aws_secret_access_key="y")


@pytest.fixture(scope="session")
def outputs(aws_url):
    """The stack of aws/template.yaml, and what it says of itself."""
    for name, text in (("database-password", "database-secret"), ("token", SECRETS["SPIRAL_TOKEN"])):
        made = client_of(aws_url, "secretsmanager").create_secret(Name=f"spiral/{name}", SecretString=text)
        secret_arns[made["Name"]] = made["ARN"]
    cloud = client_of(aws_url, "cloudformation")
    cloud.create_stack(
        StackName="spiral",
        TemplateBody=(ROOT / "aws/template.yaml").read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": "Platform", "ParameterValue": "64bit Amazon Linux 2023 running Docker"},
            {"ParameterKey": "AlarmEmail", "ParameterValue": "ops@example.com"},
        ],
    )
    found = cloud.describe_stacks(StackName="spiral")["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in found}


class World:
    """What a test has: the clients of moto, the stand-ins, and a way to run a script."""

    def __init__(self, aws_url, outputs, folder):
        self.folder = folder
        self.aws_url = aws_url
        self.beanstalk = Beanstalk()
        self.api = Api(SECRETS["SPIRAL_TOKEN"])
        self.digests = folder / "digests"
        self.digests.write_text(
            "".join(f"{name}=docker.io/me/spiral-{name}@{DIGEST}\n" for name in ("migrate", "worker", "web-api", "nginx"))
        )
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.outputs = outputs

    def client(self, service):
        return client_of(self.aws_url, service)

    def released(self):
        """What the scripts have noted in SSM: the release that runs, and the one before."""
        found = self.client("ssm").get_parameters(Names=[f"/spiral/release/{name}" for name in ("current", "previous")])
        return {parameter["Name"].rsplit("/", 1)[1]: parameter["Value"] for parameter in found["Parameters"]}

    def runs(self, release, worker=None):
        """Both environments run this release already."""
        for part, label in (("web", release), ("worker", worker or release)):
            name = self.outputs[f"{part.capitalize()}Environment"]
            self.beanstalk.versions[f"{part}-{label}"] = ("bucket", "key")
            self.beanstalk.add_environment(name, f"{part}-{label}")

    def program(self, name, text):
        """Puts a program before those of the machine."""
        file = self.programs / name
        file.write_text(text)
        file.chmod(0o755)

    def run(self, *words, **settings):
        """Runs a script of the checkout. No secret may be in what it says, whatever happens."""
        environment = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": SECRETS["AWS_SECRET_ACCESS_KEY"],
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ENDPOINT_URL_ELASTIC_BEANSTALK": self.beanstalk.url,
            "DIGESTS_FILE": str(self.digests),
            "COMMIT": "0123456789abcdef0123456789abcdef01234567",
            "VERSION": "1.4.0",
            "TAG": "",
            "BRANCH": "main",
            "URL": self.api.url,
            "POLL_SECONDS": "0.05",
            "PROBE_TRIES": "2",
            "RELEASE_SECONDS": "600",
        }
        environment.update(settings)
        environment = {name: value for name, value in environment.items() if value is not None}
        done = subprocess.run(
            [ROOT / words[0], *words[1:]], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600
        )
        done.said = done.stdout + done.stderr
        for name, secret in SECRETS.items():
            assert secret not in done.said, f"{words[0]} shows {name}"
        return done

    def close(self):
        self.beanstalk.close()
        self.api.close()
        for name in self.released():
            self.client("ssm").delete_parameter(Name=f"/spiral/release/{name}")


@pytest.fixture
def world(aws_url, outputs, tmp_path):
    made = World(aws_url, outputs, tmp_path)
    yield made
    made.close()
