"""The commands as functions: ``train``, ``score``, ``compare``, ``sample``, ``load``, ``report``."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from ganvas.api.compared import Compared
from ganvas.api.composing import calling
from ganvas.api.results import Loaded, Report, Result, Samples, Scores, load_model

PathLike = str | os.PathLike[str]


def train(*overrides: str, config_dir: PathLike | None = None, quiet: bool = True, **values: Any) -> Result:
    """Train, log and score one model, as ``ganvas train`` does.

    The global random state of the program is restored afterwards. In a training with several processes, only the first
    process returns; the others end here, since the rest of the program is for one process.

    Args:
        *overrides: as on the command line, for example ``"model=wgan_gp"``.
        config_dir: folder with your own configs, as ``--config-dir``.
        quiet: True hides the progress line.
        **values: further overrides by key, as ``seed=3``; a dotted key is passed as ``**{"budget.images": 20000}``.

    Raises:
        ConfigError: the config is not valid.
        DataError: the data cannot be read.
        StoreError: the MLflow store cannot be used.
        NonFiniteError: a loss became NaN or infinite.
    """
    from pytorch_lightning.utilities.seed import isolate_rng

    from ganvas.config import names_beyond_ganvas
    from ganvas.run.request import Job
    from ganvas.run.training import train as trained

    with isolate_rng(), calling("train", overrides, values, config_dir) as call, _printed(quiet):
        facts = trained(call.config, Job(call.output, call.choices, call.overrides))
        if not facts:
            raise SystemExit(0)
        return Result(facts, names_beyond_ganvas(call.config))


def score(
    source: PathLike | Result | None,
    *overrides: str,
    reference: PathLike | None = None,
    extractor: str | Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    config_dir: PathLike | None = None,
    quiet: bool = True,
    **values: Any,
) -> Scores:
    """Score a run, a checkpoint or images against a reference, as ``ganvas score`` does.

    Args:
        source: run id, checkpoint, folder or array file of images, or the result of :func:`train`; None scores nothing
            and only writes the file ``export_reference``.
        *overrides: as on the command line, for example ``"settings.kid_subsets=50"``.
        reference: data set, folder, or file of images or statistics; None takes the data the model was trained on.
        extractor: name of the feature extractor, or names of several; None takes that of the model or of the data
            set.
        metrics: metric names; None takes the standard metrics.
        config_dir: folder with your own configs, as ``--config-dir``.
        quiet: True prints no table.
        **values: further overrides by key; ``data={"path": "photos"}`` sets keys of the reference data set.

    Raises:
        ConfigError: the source cannot be scored as requested.
        DataError: images cannot be read.
        StoreError: the run's MLflow store did not accept the scores.
    """
    from ganvas.commands.score import score as scored

    named = {"reference": reference, "extractor": extractor, "metrics": metrics, **values}
    given = _with_source(source, {name: value for name, value in named.items() if value is not None})
    with calling("score", [_added(override) for override in overrides], _of_data(given), config_dir) as call:
        return Scores(scored(call.config, call.output, Console(quiet=quiet)))


def compare(
    sources: PathLike | Sequence[PathLike | Result],
    *overrides: str,
    reference: PathLike | None = None,
    extractor: str | None = None,
    metrics: Sequence[str] | None = None,
    table: bool = False,
    config_dir: PathLike | None = None,
    quiet: bool = True,
    **values: Any,
) -> Compared:
    """Score several sources against one reference and judge their differences, as ``ganvas score A B`` does.

    Args:
        sources: two or more sources, as :func:`score` takes them; or one folder with runs, checkpoints or arrays.
        *overrides: as on the command line, for example ``"groups=8"``.
        reference: data set, folder, or file of images or moments; None takes the data each model was trained on.
        extractor: name of the feature extractor; None takes that of the model or of the data set.
        metrics: metric names; None takes the standard metrics. The first orders the leaderboard.
        table: True writes the leaderboard, also of two sources; of more, and of a folder, it is always written.
        config_dir: folder with your own configs, as ``--config-dir``.
        quiet: True prints no table.
        **values: further overrides by key; ``data={"path": "photos"}`` sets keys of the reference data set.

    Raises:
        ConfigError: two sources have different protocols, or one of two cannot be scored as requested.
        DataError: images of one of two sources cannot be read.
        StoreError: the MLflow store did not accept the scores.
    """
    from ganvas.commands.score import score as scored

    folder = isinstance(sources, str | os.PathLike)
    several = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    names = [one.id if isinstance(one, Result) else os.fspath(one) for one in several]
    trust = [*(name for one in several if isinstance(one, Result) for name in one.trust), *values.pop("trust", ())]
    named = {"reference": reference, "extractor": extractor, "metrics": metrics, **values}
    given = {"sources": names, "table": table or folder, "trust": list(dict.fromkeys(trust))}
    given |= {name: value for name, value in named.items() if value is not None}
    with calling("score", [_added(override) for override in overrides], _of_data(given), config_dir) as call:
        return Compared(scored(call.config, call.output, Console(quiet=quiet)))


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
        source: run id, checkpoint, or the result of :func:`train`.
        *overrides: as on the command line.
        n: number of examples; None takes 64.
        seed: seed of the latents; None takes the seed of ``ganvas score``.
        kind: a kind of ``ganvas sample``, for example ``traversal`` or ``inpaint``; None takes ``grid``.
        config_dir: folder with your own configs, as ``--config-dir``.
        quiet: True prints no file names.
        **values: further overrides by key.

    Raises:
        ConfigError: the source is not a model, or the model does not support ``kind``.
    """
    from ganvas.commands.sample import sample as sampled

    named = {"n": n, "seed": seed, "kind": kind, **values}
    given = _with_source(source, {name: value for name, value in named.items() if value is not None})
    with calling("sample", overrides, given, config_dir) as call, _printed(quiet):
        return Samples(sampled(call.config, call.output))


def load(source: PathLike, device: str | None = None, trust: Sequence[str] = ()) -> Loaded:
    """Build a trained model from its checkpoint or from the folder that ``ganvas export`` wrote.

    Args:
        source: run id, ``RUN_ID/best.ckpt``, checkpoint, folder with a checkpoint, or exported folder.
        device: torch device, for example ``cuda:0``; None takes a GPU if there is one, else the CPU.
        trust: packages whose parts the checkpoint may name besides those of ganvas, for example ``["own_package"]``.

    Raises:
        CheckpointError: there is no checkpoint of ganvas.
        ConfigError: the checkpoint holds no config, or one that names something that is not trusted.
    """
    return load_model(os.fspath(source), device, trust)


def report(*studies: str, config_dir: PathLike | None = None, quiet: bool = True, **values: Any) -> Report:
    """Rank the configurations of studies and write the page, as ``ganvas report`` does.

    Args:
        *studies: names of studies; an argument with ``=`` is an override, as on the command line.
        config_dir: folder with your own configs, as ``--config-dir``.
        quiet: True does not print the conclusion.
        **values: further overrides by key, for example ``score="score/mnist/is"``.

    Raises:
        StudyError: the store does not have a study, or a study has nothing to rank.
        StoreError: the store cannot be used.
    """
    from ganvas.commands.report import report as reported

    names = [study for study in studies if "=" not in study]
    given = {"studies": names, **values} if names else values
    with calling("report", [s for s in studies if "=" in s], given, config_dir) as call, _printed(quiet):
        return Report(reported(call.config, call.output))


def _with_source(source: PathLike | Result | None, values: Mapping[str, Any]) -> dict[str, Any]:
    if source is None:
        return dict(values)
    if not isinstance(source, Result):
        return {"source": os.fspath(source), **values}
    trust = [*source.trust, *values.get("trust", ())]
    return {"source": source.id, **values, **({"trust": trust} if trust else {})}


def _of_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """Write the keys of the reference data set as they are added on the command line."""
    data = {f"data.{name}": value for name, value in given.get("data", {}).items()}
    return {_added(name): value for name, value in {**given, **data}.items() if name != "data"}


def _added(override: str) -> str:
    """Mark a key of a reference data set with ``++``: Hydra then adds it, as conf/score.yaml does not contain it."""
    return f"++{override}" if override.startswith("data.") else override


@contextlib.contextmanager
def _printed(quiet: bool) -> Iterator[None]:
    """Discard standard output if ``quiet``; errors and warnings are still shown."""
    with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
        yield
