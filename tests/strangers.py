"""Configs of a stranger: each node runs code or reads a secret where a config is built without being checked."""

import os
import pickle
from pathlib import Path

import torch

SECRET = "hunter2-of-the-environment"


class Evil:
    """A pickle that makes a file when it is read."""

    def __init__(self, witness):
        self.witness = str(witness)

    def __reduce__(self):
        return (os.mkdir, (self.witness,))


def nodes(folder):
    """Name each attack: the key where it stands in the config, what stands there, and the file it makes if it runs."""
    folder = Path(folder)
    (folder / "hub").mkdir()
    attacks = {}
    for name, make in ATTACKS.items():
        witness = folder / f"{name}.ran"
        key, node = make(folder, witness)
        attacks[name] = key, node, witness
    return attacks


def _pickled(target, argument, **others):
    def make(folder, witness):
        path = folder / f"{target}.pkl"
        if target == "torch.load":
            torch.save(Evil(witness), path)
        else:
            path.write_bytes(pickle.dumps(Evil(witness)))
        return "transform", {"_target_": target, argument: str(path), **others}

    return make


def _hub(folder, witness):
    (folder / "hub" / "hubconf.py").write_text(f"import os\ndef evil():\n    os.mkdir({str(witness)!r})\n")
    return "transform", {
        "_target_": "torch.hub.load",
        "repo_or_dir": str(folder / "hub"),
        "model": "evil",
        "source": "local",
    }


def _asyncio(folder, witness):
    shell = {"_target_": "asyncio.create_subprocess_shell", "cmd": f"mkdir {witness}"}
    return "transform", {"_target_": "asyncio.run", "main": shell}


def _touch(folder, witness):
    return "transform", {
        "_target_": "pathlib.Path.touch",
        "self": {"_target_": "pathlib.Path", "_args_": [str(witness)]},
    }


def _copy(folder, witness):
    (folder / "text").write_text("x")
    return "transform", {"_target_": "shutil.copy", "src": str(folder / "text"), "dst": str(witness)}


def _shell(folder, witness):
    return "transform", {"_target_": "os.system", "command": f"mkdir {witness}"}


def _nested(folder, witness):
    return "data.root", _touch(folder, witness)[1]


def _environment(folder, witness):
    return "data.name", "${oc.env:SECRET}"


def _module(folder, witness):
    (folder / "stranger_net.py").write_text(f"import os\ndef net():\n    os.mkdir({str(witness)!r})\n")
    return "extractor", _extractor("stranger_net.net")


def _script(folder, witness):
    torch.jit.trace(torch.nn.Flatten(), torch.zeros(2, 1, 8, 8)).save(str(folder / "net.pt"))
    return "extractor", _extractor(str(folder / "net.pt"))


def _extractor(module):
    own = {"name": "stranger", "module": module, "size": 8, "channels": 1, "mean": [0.5], "std": [0.5]}
    return {"_target_": "ganvas.extractors.CustomExtractor", **own}


ATTACKS = {
    "pandas": _pickled("pandas.read_pickle", "filepath_or_buffer"),
    "joblib": _pickled("joblib.load", "filename"),
    "numpy": _pickled("numpy.load", "file", allow_pickle=True),
    "torch": _pickled("torch.load", "f", weights_only=False),
    "hub": _hub,
    "asyncio": _asyncio,
    "touch": _touch,
    "copy": _copy,
    "shell": _shell,
    "nested": _nested,
    "environment": _environment,
    "module": _module,
    "script": _script,
}
