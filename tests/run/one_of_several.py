"""A training in one process of several, whose random numbers are this process' part of those of a whole batch.

So that several processes do what one does with the batches of all of them, but for the rounding of sums.
Usage: python one_of_several.py OUT IMAGES OVERRIDE ...     with the variables that Lightning's launcher sets.
"""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from torch.overrides import TorchFunctionMode

from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.processes import each_over_processes
from ganvas.run.callbacks.budget import Budget
from ganvas.run.training import let_players_take_turns, make_trainer, silence


class PartOfWhole(TorchFunctionMode):
    """Draws random numbers for the examples of all processes, and returns those of this one."""

    def __init__(self, rank, processes):
        super().__init__()
        self.rank, self.processes = rank, processes
        self.generator = torch.Generator().manual_seed(7)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.randn, torch.rand):
            return self._part(function, torch.Size(args if isinstance(args[0], int) else args[0]))
        if function is torch.Tensor.normal_ and len(args) == 1:
            return args[0].copy_(self._part(torch.randn, args[0].shape))
        return function(*args, **(kwargs or {}))

    def _part(self, draw, size):
        of_examples = next(
            i for i, length in enumerate(size) if length > 1
        )  # a draw of several latents has them second
        whole = list(size)
        whole[of_examples] *= self.processes
        return draw(*whole, generator=self.generator).chunk(self.processes, of_examples)[self.rank].clone()


class Curve(pl.Callback):
    """Keeps the terms of each update, averaged over the processes."""

    def __init__(self):
        self.terms = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.terms.append({name: float(value) for name, value in each_over_processes(pl_module.terms).items()})


def main(out, images, *overrides):
    silence()
    torch.set_num_threads(1)
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", ["trainer.accelerator=cpu", *overrides])
    pl.seed_everything(1, verbose=False)
    model = build(cfg.model)
    data = DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, 0)
    model.learn_of(len(data.examples("train")), None)
    trainer, curve = make_trainer(cfg, Path()), Curve()
    let_players_take_turns(trainer, model)
    trainer.callbacks.extend([Budget(int(images)), curve])
    with PartOfWhole(trainer.global_rank, trainer.world_size):
        trainer.fit(model, data)
    if trainer.is_global_zero:
        torch.save({"terms": curve.terms, "state": model.state_dict(), "images_seen": model.images_seen}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
