"""The commands as functions: ``train``, ``score``, ``sample``, ``load``, ``report``."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from ganvas.api.composing import calling
from ganvas.api.results import Loaded, Report, Result, Samples, Scores, load_model

PathLike = str | os.PathLike[str]


def train(*overrides: str, config_dir: PathLike | None = None, quiet: bool = True, **values: Any) -> Result:
    """Train, log and score one model, as ``ganvas train`` does.

    The global random state of the program is the same afterwards. Of a training in several processes only the first
    returns: the others end here, since what follows in the program is for one process.

    Args:
        *overrides: as on the command line, ``"model=wgan_gp"``.
        config_dir: folder with configs of one's own, as ``--config-dir``.
        quiet: whether the line that shows progress is kept back.
        **values: further overrides by key, ``seed=3``; a dotted key is passed as ``**{"budget.images": 20000}``.

    Raises:
        ConfigError: whatever the command refuses with exit code 2.
        DataError: data that cannot be read.
        StoreError: an MLflow store that cannot be used.
        NonFiniteError: a loss that became NaN or infinite.
    """
    from pytorch_lightning.utilities.seed import isolate_rng

    from ganvas.run.request import Job
    from ganvas.run.training import train as trained

    with isolate_rng(), calling("train", overrides, values, config_dir) as call, _printed(quiet):
        facts = trained(call.config, Job(call.output, call.choices, call.overrides))
    if not facts:
        raise SystemExit(0)
    return Result(facts)


def score(
    source: PathLike | Result | None,
    *overrides: str,
    reference: PathLike | None = None,
    extractor: str | None = None,
    metrics: Sequence[str] | None = None,
    config_dir: PathLike | None = None,
    quiet: bool = True,
    **values: Any,
) -> Scores:
    """Score a run, a checkpoint or images against a reference, as ``ganvas score`` does.

    Args:
        source: run id, checkpoint, folder or array file of images, or what :func:`train` returned; None only writes
            ``export_reference``.
        *overrides: as on the command line, ``"settings.kid_subsets=50"``.
        reference: data set, folder, or file of images or moments; None takes the data of the model.
        extractor: of features; None takes that of the model or of the data set.
        metrics: names; None takes the standard ones.
        config_dir: folder with configs of one's own, as ``--config-dir``.
        quiet: whether the table is kept back.
        **values: further overrides by key; ``data={"path": "photos"}`` are keys of the reference data set.

    Raises:
        ConfigError: something that cannot be scored as asked.
        DataError: images that cannot be read.
        StoreError: scores that the run's store did not take.
    """
    from ganvas.commands.score import score as scored

    named = {"reference": reference, "extractor": extractor, "metrics": metrics, **values}
    given = _with_source(source, {name: value for name, value in named.items() if value is not None})
    given |= {f"data.{name}": value for name, value in given.pop("data", {}).items()}
    given = {_added(name): value for name, value in given.items()}
    with calling("score", [_added(override) for override in overrides], given, config_dir) as call:
        return Scores(scored(call.config, call.output, Console(quiet=quiet)))


def sample(
    source: PathLike | Result,
    *overrides: str,
    n: int | None = None,
    seed: int | None = None,
    kind: str | None = None,
    config_dir: PathLike | None = None,
    quiet: bool = True,
    **values: Any,
) -> Samples:
    """Write examples of a trained model as an array and a picture, as ``ganvas sample`` does.

    Args:
        source: run id, checkpoint, or what :func:`train` returned.
        *overrides: as on the command line.
        n: how many; None takes 64.
        seed: of the latents; None takes that of ``ganvas score``.
        kind: ``grid``, ``interpolation``, ``traversal`` or ``reconstruction``; None takes ``grid``.
        config_dir: folder with configs of one's own, as ``--config-dir``.
        quiet: whether the names of the files are kept back.
        **values: further overrides by key.

    Raises:
        ConfigError: a source that is no model, or what it cannot give.
    """
    from ganvas.commands.sample import sample as sampled

    named = {"n": n, "seed": seed, "kind": kind, **values}
    given = _with_source(source, {name: value for name, value in named.items() if value is not None})
    with calling("sample", overrides, given, config_dir) as call, _printed(quiet):
        return Samples(sampled(call.config, call.output))


def load(source: PathLike, device: str | None = None) -> Loaded:
    """Build a trained model from its checkpoint.

    Args:
        source: run id, ``RUN_ID/best.ckpt``, checkpoint, or a folder with one.
        device: as torch names it; None takes a GPU where there is one.

    Raises:
        CheckpointError: no checkpoint of ganvas.
        ConfigError: a checkpoint without a config.
    """
    return load_model(os.fspath(source), device)


def report(*studies: str, config_dir: PathLike | None = None, quiet: bool = True, **values: Any) -> Report:
    """Rank the configurations of studies and write the page, as ``ganvas report`` does.

    Args:
        *studies: names; with ``=`` in it an argument is an override, as on the command line.
        config_dir: folder with configs of one's own, as ``--config-dir``.
        quiet: whether the conclusion is kept back.
        **values: further overrides by key, as ``score="score/mnist/is"``.

    Raises:
        StudyError: a study that the store does not have, or that has nothing to rank.
        StoreError: a store that cannot be used.
    """
    from ganvas.commands.report import report as reported

    names = [study for study in studies if "=" not in study]
    given = {"studies": names, **values} if names else values
    with calling("report", [s for s in studies if "=" in s], given, config_dir) as call, _printed(quiet):
        return Report(reported(call.config, call.output))


def _with_source(source: PathLike | Result | None, values: Mapping[str, Any]) -> dict[str, Any]:
    if source is None:
        return dict(values)
    return {"source": source.id if isinstance(source, Result) else os.fspath(source), **values}


def _added(override: str) -> str:
    """The override, as Hydra adds a key that it cannot know: those of a reference data set are its own."""
    return f"++{override}" if override.startswith("data.") else override


@contextlib.contextmanager
def _printed(quiet: bool) -> Iterator[None]:
    """Keep back what a command prints, where that is asked for; errors and warnings still show."""
    with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
        yield
