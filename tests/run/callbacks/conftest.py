"""A toy Lightning module over endless data."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from ganvas.health.evidence import Logged
from ganvas.tracking.run import Run


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield torch.zeros(1, 8, 8)


class Toy(pl.LightningModule):
    headline = ("loss",)
    skips_updates = False

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.images_seen = 0
        self.terms = {}
        self.nan_at = None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        loss = (self.weight - 1) ** 2
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.images_seen += len(batch)
        if self.nan_at is not None and self.images_seen >= self.nan_at:
            loss = loss * float("nan")
        self.terms = {"loss": loss.detach(), "other": self.weight.detach()}

    def sample(self, n, seed):
        return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1

    def sample_part(self, n, seed, part):
        return self.sample(n, seed)[part]

    def gradient_norms(self):
        return {} if self.weight.grad is None else {"toy/gradient_norm": self.weight.grad.abs()}

    def evidence(self, train, held_out, history):
        return (Logged(history),)

    def reconstruct(self, batch):
        return -batch.x

    def on_save_checkpoint(self, checkpoint):
        checkpoint["images_seen"] = self.images_seen

    def on_load_checkpoint(self, checkpoint):
        self.images_seen = checkpoint["images_seen"]


class Recorder(Run):
    """Keeps what it is given."""

    id = "recorder"

    def __init__(self):
        self.logged, self.images, self.tagged = [], [], {}
        self.persisted = []

    def metrics(self, values, step):
        self.logged.append((step, dict(values)))

    def tags(self, values):
        self.tagged = dict(values)

    def image(self, key, image, step):
        self.images.append((key, image, step))

    def persist(self):
        self.persisted.append([step for step, _ in self.logged])

    def latest(self, prefix):
        return {}

    def params(self, flat):
        raise NotImplementedError

    text = artifact = dataset = view = flush = params


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def fit():
    def run(callbacks, model=None, max_epochs=1, **arguments):
        model = model or Toy()
        trainer = pl.Trainer(
            max_epochs=max_epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            accelerator="cpu",
            callbacks=callbacks,
        )
        trainer.fit(model, DataLoader(Endless(), batch_size=4), **arguments)
        return model

    return run


@pytest.fixture
def toy():
    return Toy
