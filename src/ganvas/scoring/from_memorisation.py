"""The audit of memorisation in feature space, against the whole training split, with the worst pairs as a picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ganvas.config import ConfigError
from ganvas.data.batches import model_input
from ganvas.data.pictures import pairs
from ganvas.extractors.features import Features
from ganvas.health.checks import memorisation as memorisation_findings
from ganvas.metrics.memorisation import Memorisation, audit
from ganvas.scoring.found import Found
from ganvas.scoring.scores import Score
from ganvas.scoring.task import Task

COLUMNS = 8


def memorisation(task: Task) -> Found:
    """Shares of samples that are close to, and authentic beside, training images; the floor is held-out images."""
    held_out = task.real
    if not isinstance(held_out, Features) or task.reference.split == "train":
        raise ConfigError(
            "metrics: memorisation needs training and held-out images; write reference=DATASET with a test split"
        )
    s = task.cfg.memorisation
    train = task.cached(task.part("train", "memorisation"))
    found = audit(train.values, held_out.values, task.fake.values, quantile=s.quantile, pairs=s.pairs)
    name = task.require_extractor().name
    close, authentic = f"score/{name}/memorisation_close", f"score/{name}/memorisation_authentic"
    facts = task.conditions(
        train=task.reference.examples("train", "memorisation").fingerprint(),
        extractor=task.require_extractor().weights_hash,
        n=task.fake.n,
        quantile=s.quantile,
    )
    return Found(
        scores={close: Score(found.close.fake, None, ""), authentic: Score(found.authentic.fake, None, "")},
        floor={close: found.close.held_out, authentic: found.authentic.held_out},
        conditions={close: facts, authentic: facts},
        findings=memorisation_findings(found),
        files=(_picture(task, found),) if s.pairs else (),
    )


def _picture(task: Task, found: Memorisation) -> Path:
    """Rows of samples above the rows of their nearest training images, the most suspicious first."""
    cfg, worst = task.cfg, found.pairs
    drawn = task.subject.draw(cfg.n, cfg.seed, cfg.batch_size)[worst.fake]
    nearest = task.reference.examples("train", "memorisation").batch(worst.train)
    picture = pairs(model_input(drawn), model_input(nearest), min(COLUMNS, len(worst.fake)))
    path = task.output / "memorisation.png"
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(path)
    return path
