"""``ganvas sample``: write examples of a trained model as an array and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import hydra
import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn

from ganvas.commands.carried import carried
from ganvas.commands.classes import chosen, labels, one_label, refuse_classes
from ganvas.commands.drawn import BATCH, SHOWN, Drawn, require_images, vector_prior, whole_rows
from ganvas.commands.groups import moved, refuse_group
from ganvas.commands.mixing import mix
from ganvas.commands.movies import training, walk, write_gif
from ganvas.commands.restoring import CORRUPTIONS, restore
from ganvas.config import CONFIG_PATH, ConfigError
from ganvas.data import pictures
from ganvas.data.seeding import require_seed
from ganvas.data.sources.npz import LABELS, at_rest
from ganvas.data.sources.scored import SAMPLES
from ganvas.latents import LatentSampler
from ganvas.latents.activity import latent_activity
from ganvas.latents.directions import strongest_directions
from ganvas.latents.spaces import nearest
from ganvas.latents.traversal import along, ways
from ganvas.models import Sampling
from ganvas.models.by_class import rows_of_classes
from ganvas.scoring.refitting import refitted, sampler_of
from ganvas.scoring.subjects import ModelSubject, device_of, open_subject, sampling_of
from ganvas.storage.atomic import write_json
from ganvas.types import Encodes, Prior, Reconstructs

SCATTER_POINTS = 2000
LOOKED_AT = 1000
"""Number of held-out examples that determine which latent units are active."""


@hydra.main(config_path=CONFIG_PATH, config_name="sample", version_base="1.3")
@carried
def main(cfg: DictConfig) -> None:
    """Write the examples; Hydra calls it with the composed config."""
    sample(cfg, Path(HydraConfig.get().runtime.output_dir))


def sample(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Draw examples of a model and write them as an array and a picture.

    Args:
        cfg: the config, composed from ``conf/sample.yaml``.
        output: folder for ``samples.npz``, the picture and ``result.json``.

    Returns:
        The content of ``result.json``.

    Raises:
        ConfigError: a value is out of range, the source is not a model, or the model does not support ``cfg.kind``.
    """
    if cfg.kind not in KINDS:
        raise ConfigError(f"kind={cfg.kind}: expected {', '.join(KINDS)}")
    if cfg.n < 1 or cfg.columns < 1:
        raise ConfigError(f"n={cfg.n}, columns={cfg.columns}: both must be at least 1")
    require_seed("seed", cfg.seed)
    refuse_group(cfg)
    sampler = _sampler(cfg)
    subject = open_subject(cfg.source, device_of(cfg.device), cfg.trust, sampling=_sampling(cfg))
    if not isinstance(subject, ModelSubject):
        raise ConfigError(f"{cfg.source}: images, not a model; give a run id or a checkpoint")
    subject = refitted(subject, sampler)
    drawn = KINDS[cfg.kind](subject, cfg)
    output.mkdir(parents=True, exist_ok=True)
    files = {"array": output / SAMPLES, "picture": output / f"{cfg.kind}.png"}
    name = "images" if drawn.examples.ndim == 4 else "points"
    arrays = {name: at_rest(drawn.examples)}
    if drawn.labels is not None:
        arrays[LABELS] = drawn.labels.numpy()
    np.savez_compressed(files["array"], **arrays)  # type: ignore[arg-type]
    Image.fromarray(drawn.picture.permute(1, 2, 0).contiguous().numpy()).save(files["picture"])
    if drawn.frames is not None:
        files["movie"] = output / f"{cfg.kind}.gif"
        write_gif(files["movie"], drawn.frames)
    result = {
        "source": cfg.source,
        "kind": cfg.kind,
        "n": len(drawn.examples),
        "seed": cfg.seed,
        "weights": subject.weights,
        **subject.sampling.given(),
        "images_seen": subject.images_seen,
        **drawn.facts,
        **{name: str(path.absolute()) for name, path in files.items()},
        "output": str(output.absolute()),
    }
    write_json(output / "result.json", result)
    print(f"{result['n']} examples: {result['array']}\n{cfg.kind}: {result.get('movie', result['picture'])}")
    return result


def draw(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Draw independent examples: the same as ``ganvas score`` scores with the same n and seed.

    The picture of a conditional model has a row a class, all from the same latents.
    """
    y = labels(subject, cfg, cfg.n)
    examples = subject.sample(cfg.n, cfg.seed, y)
    if len(subject.shape) != 3:
        data = subject.data.some(subject.data.source.report_split, SCATTER_POINTS)
        return Drawn(examples, pictures.scatter(examples, data.x), labels=y)
    shown = examples[:SHOWN]
    if subject.model.classes is not None:
        classes = chosen(subject, cfg) or range(subject.model.classes)
        shown = rows_of_classes(subject, classes, cfg.columns, cfg.seed)
    return Drawn(examples, pictures.grid(shown, cfg.columns), labels=y)


def interpolate(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Interpolate: each row goes from one draw of the prior to another, through latents that the prior could draw.

    With a group of a hierarchy, the latents of the others stay those of the first draw.
    """
    prior, rows = vector_prior(subject, cfg), whole_rows(subject, cfg)
    ends = prior.sample(2 * rows, generator=torch.Generator().manual_seed(cfg.seed))
    steps = torch.linspace(0, 1, cfg.columns)
    part = moved(subject, cfg)
    paths = [a.repeat(cfg.columns, 1) for a in ends[:rows]]
    for path, a, b in zip(paths, ends[:rows], ends[rows:], strict=True):
        path[:, part] = prior.between(a, b, steps)[:, part]
    return _decoded(subject, torch.cat(paths), cfg.columns, labels(subject, cfg, rows))


def traverse(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Traverse the latents: each row moves one coordinate through the prior's range, with the others fixed.

    One-hot codes come first and go through their categories. Then come the most active coordinates, if the model has an
    encoder; with a group of a hierarchy, those of the group.
    """
    prior, rows = vector_prior(subject, cfg), whole_rows(subject, cfg)
    start = prior.sample(1, generator=torch.Generator().manual_seed(cfg.seed))[0]
    inside = range(prior.dim)[moved(subject, cfg)]
    found = dict([named for named in _by_activity(subject, prior) if named[1].start in inside][:rows])
    z = nearest(prior, torch.cat([along(prior, start, way, cfg.columns) for way in found.values()]))
    drawn = _decoded(subject, z, cfg.columns, one_label(subject, cfg, len(found)))
    shown = zip(list(found)[: SHOWN // cfg.columns or 1], drawn.examples.split(cfg.columns), strict=False)
    labelled = [(name, pictures.grid(row, cfg.columns)) for name, row in shown]
    return replace(drawn, picture=pictures.labelled(labelled))


def follow_directions(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Move a latent along the directions that the first layer answers most, one a row, the strongest first.

    Raises:
        ConfigError: the network has no fully connected layer that takes the latents alone.
    """
    model, prior, rows = subject.model, vector_prior(subject, cfg), whole_rows(subject, cfg)
    layers = [m for m in model.part(model.decoding).modules() if isinstance(m, nn.Linear)]
    inputs = (prior.dim, prior.dim + (model.classes or 0))  # the classes may be latents, after the prior's
    first = next((layer for layer in layers if layer.in_features in inputs), None)
    if first is None:
        raise ConfigError(f"kind=directions: no linear layer of {cfg.source} takes the latents; write --kind traversal")
    found = strongest_directions(first.weight[:, : prior.dim].cpu())[:rows]
    start = prior.sample(1, generator=torch.Generator().manual_seed(cfg.seed))
    steps = torch.linspace(-prior.reach, prior.reach, cfg.columns)
    z = nearest(prior, (start + steps[None, :, None] * found[:, None, :]).flatten(0, 1))
    return _decoded(subject, z, cfg.columns, one_label(subject, cfg, len(found)))


def reconstruct(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Show held-out images above their reconstructions; the array holds the reconstructions.

    Raises:
        ConfigError: the model has no encoder, or its data are points.
    """
    require_images(subject, cfg)
    refuse_classes(cfg)
    if not isinstance(subject.model, Reconstructs):
        raise ConfigError(f"kind=reconstruction needs an encoder, and {cfg.source} has none; write --kind grid")
    originals = subject.data.some(subject.data.source.report_split, cfg.n)
    made = subject.model.reconstruct(originals.to(subject.model.device)).cpu()
    y = None if subject.model.classes is None else originals.y
    return Drawn(made, pictures.pairs(originals.x[:SHOWN], made[:SHOWN], cfg.columns), labels=y)


KINDS: Mapping[str, Callable[[ModelSubject, DictConfig], Drawn]] = MappingProxyType(
    {
        "grid": draw,
        "interpolation": interpolate,
        "traversal": traverse,
        "reconstruction": reconstruct,
        "directions": follow_directions,
        "walk": walk,
        "mixing": mix,
        "training": training,
        **dict.fromkeys(CORRUPTIONS, restore),
    }
)
DRAWN = ("grid", "training")
NOT_DRAWN = ("reconstruction", *CORRUPTIONS)


def _sampling(cfg: DictConfig) -> Sampling:
    """Read the options of sampling; ConfigError for those that do not act on the kind."""
    sampling = sampling_of(cfg)
    acting = replace(sampling, standing=None, truncation=None) if cfg.kind in NOT_DRAWN else sampling
    if sampling != acting:
        raise ConfigError(
            f"standing={cfg.standing}, truncation={cfg.truncation}: kind={cfg.kind} draws no examples from the prior; "
            "leave them out, or write --kind grid"
        )
    return sampling


def _sampler(cfg: DictConfig) -> LatentSampler | None:
    """Build the sampler; ConfigError for a kind that draws nothing, or that needs more of a prior than draws."""
    sampler = sampler_of(cfg)
    if sampler is not None and cfg.kind not in DRAWN:
        raise ConfigError(
            f"sampler={sampler.name}: kind={cfg.kind} does not draw examples one by one; leave sampler out, or write "
            "--kind grid"
        )
    return sampler


def _decoded(subject: ModelSubject, z: Tensor, columns: int, of_rows: Tensor | None) -> Drawn:
    """Decode rows of latents into a grid; a conditional model decodes each row with one class."""
    y = None if of_rows is None else of_rows.repeat_interleave(columns)
    examples = subject.decoded(z, y)
    return Drawn(examples, pictures.grid(examples[: SHOWN // columns * columns or columns], columns), labels=y)


def _by_activity(subject: ModelSubject, prior: Prior) -> list[tuple[str, slice]]:
    """Names and coordinates of the ways through latents: codes, then coordinates, in a VAE the most active first."""
    model, found = subject.model, sorted(ways(prior).items(), key=lambda named: _is_single(named[1]))
    if not isinstance(model, Encodes):
        return found
    x = subject.data.some(subject.data.source.report_split, LOOKED_AT)
    activity = latent_activity(model.posterior_moments(x.split(BATCH)), prior)
    strength = activity.variance / activity.limit
    return sorted(found, key=lambda named: (_is_single(named[1]), -float(strength[named[1]].max())))


def _is_single(way: slice) -> bool:
    return way.stop - way.start == 1
