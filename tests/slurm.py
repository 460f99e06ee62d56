"""A real Slurm on this machine: controller, node and accounting, all of our own, for the length of a block."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from .servers import free_port, mariadb

_PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "sbatch", "srun", "scancel", "sacctmgr")
_CONTROLLER = """
ClusterName=ganvas
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[2]}
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_ACCOUNTING = """
AuthType=auth/none
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[2]}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=ganvas
StorageLoc=slurm
PidFile={folder}/slurmdbd.pid
"""


def ask(*command):
    """What a command of Slurm answers; ``SLURM_CONF`` leads it to the cluster."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def jobs():
    """Ids of the jobs that run."""
    return ask("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split()


def kill(job):
    """End a job as the machine's memory or a broken node would: no signal that it could catch."""
    ask("scancel", "--full", "--signal=KILL", job)


@contextmanager
def slurm(monkeypatch, cpus):
    """Start a cluster, and point ``SLURM_CONF`` to it."""
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"no {missing[0]}: apt-get install slurm-wlm slurmdbd slurm-wlm-mysql-plugin")
    if os.getuid() != 0:
        pytest.skip("a cluster of our own needs root")
    folder, started = Path(tempfile.mkdtemp(prefix="ganvas-slurm-", dir="/tmp")), []
    with mariadb() as server:
        _configure(folder, server.port, cpus)
        monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        try:
            _start(folder, started)
            yield
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(60)
            shutil.rmtree(folder, ignore_errors=True)


def _configure(folder, database, cpus):
    host = socket.gethostname().split(".")[0]
    known = {"host": host, "folder": folder, "ports": [free_port() for _ in range(3)], "cpus": cpus}
    (folder / "slurm.conf").write_text(_CONTROLLER.format(**known))
    accounting = folder / "slurmdbd.conf"
    accounting.write_text(_ACCOUNTING.format(**known, database=database))
    accounting.chmod(0o600)  # slurmdbd refuses one that others can read
    for name in ("state", "spool"):
        (folder / name).mkdir()


def _start(folder, started):
    log = (folder / "log").open("wb")
    for line, ready in (
        (["slurmdbd", "-D"], ["sacctmgr", "--immediate", "add", "cluster", "ganvas"]),
        (["slurmctld", "-D"], ["squeue"]),
        (["slurmd", "-D"], ["srun", "true"]),
    ):
        started.append(subprocess.Popen(line, stdout=log, stderr=log))
        _wait_until(ready, folder / "log")


def _wait_until(ready, log):
    deadline = time.monotonic() + 60
    while True:
        try:
            ask(*ready)
            return
        except subprocess.SubprocessError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.3)
