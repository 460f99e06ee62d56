"""Runs the cases of the grammar, each in a child of its own in a folder of its own, and judges what each did.

It runs outside pytest, whose checks of types would refuse an argument before the product does:
``python scripts/fuzz.py --cases 2000 --seed 1 --out fuzz.jsonl``.
"""

import argparse
import gc
import json
import os
import resource
import shutil
import sqlite3
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path

from ganvas.cli import COMMANDS, main

from . import material, oracles
from .forked import fork
from .grammar import Grammar

LIMIT = 60
"""Seconds after which a case counts as a hang."""
MEMORY = 4 * 2**30
"""Bytes that a case may take besides what all cases share."""
_EAGER = ("run.training", "commands.table", "sweeps.multirun", "tracking.sync", "scoring.export", "papers.iwae_table1")


def prepare():
    """Import all that a command imports, and make what the cases start from: a folder, and the ids of its runs."""
    warnings.simplefilter("ignore")
    for name in (*(f"commands.{command}" for command in COMMANDS), *_EAGER):
        import_module(f"ganvas.{name}")
    from ganvas.data.sources.mnist5k import Mnist5k

    Mnist5k("mnist5k", [1, 28, 28], 500, 1000).load("train")
    first = Path(tempfile.mkdtemp(prefix="ganvas-fuzz-"))
    (first / "m").mkdir()
    code, ids = fork(first, lambda: _material(first), first / "prepared").wait()
    assert code == 0, (first / "prepared").read_text()
    base = first.with_name(first.name + "-moved")  # its runs are those of a project that has moved
    first.rename(base)
    gc.freeze()
    return base, ids


def _material(folder):
    ids = material.store_of(folder, main)
    material.fill(folder / "m")
    return ids


def _limited(args):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return [main(args), 0]


def attempt(case, base, ids):
    """Run one case in a copy of the folder; returns what it did."""
    folder = Path(tempfile.mkdtemp(prefix="case-", dir=base.parent))
    try:
        for name in ("mlflow.db", "mlruns") if case.store else ():
            _copy(base / name, folder / name)
        (folder / "m").symlink_to(base / "m")
        if any("resume=m/" in argument for argument in case.args):  # it may go on in the folder of its checkpoint
            (folder / "m").unlink()
            shutil.copytree(base / "m", folder / "m", symlinks=True, ignore=lambda *_: ["pipe.txt"])
        before = {path.name for path in folder.iterdir()}
        args = [_named(argument, ids) for argument in case.args]
        began = time.monotonic()
        code, answer = fork(folder, lambda: _limited(args), folder.with_suffix(".out"), LIMIT).wait()
        code = answer[0] if answer is not None else code
        seconds = time.monotonic() - began
        said = folder.with_suffix(".out").read_bytes().decode(errors="replace").replace(str(folder), ".")
        left = sorted(path.name for path in folder.iterdir() if path.name not in before)
        names = [_named(name, ids) for name in case.names]
        return oracles.Seen(code, said, left, _running(folder / "mlflow.db"), seconds, names)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".out").unlink(missing_ok=True)


def _copy(old, new):
    if old.is_dir():
        shutil.copytree(old, new)
    elif old.exists():
        shutil.copy(old, new)


def _named(argument, ids):
    for name, run_id in ids.items():
        argument = argument.replace(name, run_id)
    return argument


def _running(store):
    if not store.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
            return db.execute("select count(*) from runs where status = 'RUNNING'").fetchone()[0]
    except sqlite3.Error:
        return 0


def judge(number, case, base, ids):
    """Run a case; returns as plain values what it did, and the oracles that it violates."""
    seen = attempt(case, base, ids)
    return {
        **{"number": number, "family": case.family, "line": case.line, "expect": case.expect, "code": seen.code},
        **{"violated": oracles.violated(case, seen), "said": seen.said[-1500:], "left": seen.left},
        "seconds": round(seen.seconds, 2),
    }


def begin(arguments=None):
    """Run cases, write one line of JSON for each, and print how often each oracle was violated."""
    parser = argparse.ArgumentParser(description="Try command lines of a grammar, and judge what each did.")
    parser.add_argument("--cases", type=int, default=2000, help="number of cases that the seed makes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--piece", default="1/1", help="2/5 runs every fifth case, from the second on")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no case after this time")
    parser.add_argument("--only", type=int, nargs="*", default=[], help="numbers of the cases to run")
    parser.add_argument("--out", type=Path, default=Path("fuzz.jsonl"), help="file for what each case did")
    options = parser.parse_args(arguments)
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "HYDRA_FULL_ERROR": "1"}
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    first, step = map(int, options.piece.split("/"))
    cases = list(enumerate(Grammar(options.seed).cases(options.cases)))[first - 1 :: step]
    base, ids = prepare()
    try:
        found = _judged([(n, case) for n, case in cases if not options.only or n in options.only], base, ids, options)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(oracles.table(found))


def _judged(cases, base, ids, options):
    found, end = [], time.monotonic() + options.seconds
    with options.out.open("w") as file:
        for number, case in cases:
            if time.monotonic() > end:
                break
            found.append(judge(number, case, base, ids))
            file.write(json.dumps(found[-1], ensure_ascii=False) + "\n")
            file.flush()
    return found
