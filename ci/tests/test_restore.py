"""Restore from backup, as docs/deploy/backup.md says it, with real programs: a dump of PostgreSQL into a new database, a Redis
that is empty, and every job that was accepted before the dump has its outcome afterwards.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

POSTGRES = os.environ.get("SPIRAL_TEST_POSTGRES_URL")
PROGRAMS = Path(os.environ.get("SPIRAL_PROGRAMS", "/nowhere"))
NEEDED = [PROGRAMS / name for name in ("web-api", "worker", "migrate")]

pytestmark = pytest.mark.skipif(
    not POSTGRES or not all(program.exists() for program in NEEDED) or not shutil.which("redis-server"),
    reason="needs PostgreSQL, Redis and Spiral's programs: `cargo xtask test` has them all",
)


def postgres_program(name):
    """Debian keeps them off the PATH, a folder for each version; the newest reads what older servers have."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda file: int(file.parts[4]))
    return str(found[-1]) if found else name


def database(name):
    return urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))


def sql(statement):
    command = [postgres_program("psql"), "--quiet", "--dbname", database("postgres"), "--command", statement]
    subprocess.run(command, check=True, capture_output=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Spiral:
    """One API, one worker and one Redis, on a database that is there."""

    def __init__(self, folder, name):
        folder.mkdir()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.processes = {}
        self.folder = folder
        redis = folder / "redis.sock"
        self.settings = {
            "PATH": os.environ["PATH"],
            "SPIRAL_DATABASE_URL": database(name),
            "SPIRAL_REDIS_URL": f"unix://{redis}",
            "SPIRAL_LISTEN": self.url.removeprefix("http://"),
        }
        self.start("redis-server", "--port", "0", "--unixsocket", str(redis), "--dir", str(folder), "--appendonly", "yes")
        until(redis.exists)
        subprocess.run([PROGRAMS / "migrate", "up"], env=self.settings, check=True, capture_output=True)
        self.start(str(PROGRAMS / "web-api"))
        until(self.is_ready)

    def start(self, *words):
        log = (self.folder / f"{Path(words[0]).name}.log").open("w")
        self.processes[Path(words[0]).name] = subprocess.Popen(words, env=self.settings, stdout=log, stderr=log)

    def is_ready(self):
        try:
            self.ask("/api/readyz")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def call(self, index, wait=""):
        return self.ask(f"/api/v1/functions/fibonacci/jobs{wait}", {"input": {"index": index}})

    def kill(self):
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def fibonacci(index):
    before, value = 1, 0
    for _ in range(index):
        before, value = value, before + value
    return str(value)


def test_a_dump_and_an_empty_redis_are_enough(tmp_path):
    number = time.time_ns()
    old_name, new_name = f"restore_old_{number}", f"restore_new_{number}"
    sql(f"CREATE DATABASE {old_name}")
    sql(f"CREATE DATABASE {new_name}")
    running = []
    try:
        old = Spiral(tmp_path / "old", old_name)
        running.append(old)
        old.start(str(PROGRAMS / "worker"))
        finished = {old.call(index, "?wait=60s")["id"]: index for index in range(300, 305)}
        old.processes.pop("worker").kill()
        # Nobody runs these: they lie in the database, and in the Redis that is about to be gone.
        waiting = {old.call(index)["id"]: index for index in range(400, 440)}

        dump = tmp_path / "spiral.dump"
        subprocess.run(
            [postgres_program("pg_dump"), "--format=custom", "--file", dump, "--dbname", database(old_name)], check=True
        )
        old.kill()
        sql(f"DROP DATABASE {old_name} WITH (FORCE)")
        restore = [postgres_program("pg_restore"), "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", database(new_name), dump]
        subprocess.run(restore, check=True)

        new = Spiral(tmp_path / "new", new_name)
        running.append(new)
        new.start(str(PROGRAMS / "worker"))
        for job, index in (finished | waiting).items():
            until(lambda job=job: new.ask(f"/api/v1/jobs/{job}")["state"] not in ("queued", "running", "retrying"))
            found = new.ask(f"/api/v1/jobs/{job}")
            assert (found["state"], found["output"]) == ("completed", fibonacci(index)), found
        # And it goes on.
        assert new.call(500, "?wait=60s")["output"] == fibonacci(500)
    finally:
        for spiral in running:
            spiral.kill()
        for name in (old_name, new_name):
            sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
