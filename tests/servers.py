"""Real servers for slow tests: PostgreSQL and MLflow, which can be stopped, frozen, killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostgreSQL:
    """A server of our own, by whatever account it wants."""

    def __init__(self):
        places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
        initdb = next((str(p / "initdb") for p in places if (p / "initdb").exists()), shutil.which("initdb"))
        if initdb is None:
            pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
        pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")
        self.tools, self.folder = Path(initdb).resolve().parent, Path(tempfile.mkdtemp(prefix="ganvas-pg-", dir="/tmp"))
        self.account, self.port = [], free_port()
        if os.getuid() == 0:
            if shutil.which("runuser") is None:
                pytest.skip("PostgreSQL refuses to run as root, and there is no runuser")
            shutil.chown(self.folder, "postgres")
            self.account = ["runuser", "-u", "postgres", "--"]
        self._run("initdb", "-D", f"{self.folder}/db", "-U", "ganvas", "--auth=trust")
        self.start()

    def _run(self, tool, *arguments):
        line = [*self.account, str(self.tools / tool), *arguments]
        subprocess.run(line, check=True, capture_output=True, cwd="/")

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        self._run("pg_ctl", "-D", f"{self.folder}/db", "-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-D", f"{self.folder}/db", "-m", "immediate", "stop")

    def database(self, name):
        """Make a database; returns its address."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "ganvas", name)
        return f"postgresql://ganvas@127.0.0.1:{self.port}/{name}"


@contextmanager
def postgresql():
    server = PostgreSQL()
    try:
        yield server
    finally:
        if (server.folder / "db" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


class MlflowServer:
    """`mlflow server` on a database, with the artifacts in a folder."""

    def __init__(self, database, artifacts):
        self.database, self.artifacts, self.port = database, artifacts, free_port()
        self.start()

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        line = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        line += ["--backend-store-uri", self.database, "--artifacts-destination", str(self.artifacts)]
        output = subprocess.DEVNULL
        self._process = subprocess.Popen(line, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        raise TimeoutError(self.uri)

    def signal(self, number):
        os.killpg(self._process.pid, number)

    def kill(self):
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
        self._process.wait()


@contextmanager
def mlflow_server(database, artifacts):
    server = MlflowServer(database, artifacts)
    try:
        yield server
    finally:
        server.kill()


class MariaDB:
    """A server of our own, on a socket and a port."""

    def __init__(self):
        server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
        if server is None or install is None:
            pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
        self._sql = pytest.importorskip("pymysql", reason="PyMySQL is not installed: pip install '.[mysql]'")
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="ganvas-my-", dir="/tmp")), free_port()
        account = ["--user=root"] if os.getuid() == 0 else []
        new = [install, *account, f"--datadir={self.folder}/db", "--auth-root-authentication-method=normal"]
        subprocess.run(new, check=True, capture_output=True)
        where = [f"--datadir={self.folder}/db", f"--socket={self.folder}/socket", f"--port={self.port}"]
        line = [server, "--no-defaults", *account, *where, "--bind-address=127.0.0.1"]
        self._process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
        self._execute("CREATE USER ganvas@'127.0.0.1'", "GRANT ALL ON *.* TO ganvas@'127.0.0.1'")

    def database(self, name):
        """Make a database; returns its address."""
        self._execute(f"CREATE DATABASE {name}")
        return f"mysql://ganvas@127.0.0.1:{self.port}/{name}"

    def stop(self):
        self._process.terminate()
        self._process.wait(30)

    def _execute(self, *statements):
        deadline = time.monotonic() + 60
        while True:
            try:
                with self._sql.connect(unix_socket=f"{self.folder}/socket", user="root") as connection:
                    with connection.cursor() as cursor:
                        for statement in statements:
                            cursor.execute(statement)
                return
            except self._sql.OperationalError:
                assert time.monotonic() < deadline and self._process.poll() is None
                time.sleep(0.3)


@contextmanager
def mariadb():
    server = MariaDB()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
