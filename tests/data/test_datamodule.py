"""The door to the data: training stream, held-out batches, fingerprints."""

from itertools import islice

import pytest
import pytorch_lightning as pl
import torch

from ganvas.data import DataError, DataModule
from ganvas.data.sources.densities import ring
from ganvas.data.sources.density_source import DensitySource
from ganvas.data.sources.mnist5k import Mnist5k
from ganvas.data.transforms import DynamicBinarisation, FixedBinarisation, Identity


def stacked(batches):
    return torch.stack([batch.x for batch in batches])


def joined(batches):
    return torch.cat([batch.x for batch in batches])


def _module(transform=None, seed=0, batch_size=32, val=500):
    source = Mnist5k("mnist5k", [1, 28, 28], val=val, test=1000)
    return DataModule(source, transform or Identity(), batch_size, seed, workers=0)


def test_start_moves_the_stream():
    whole, resumed = _module(), _module()
    resumed.start = 96
    expected = stacked(islice(whole.train_dataloader(), 5))[3:]
    assert stacked(islice(resumed.train_dataloader(), 2)).equal(expected)


def test_the_global_stream_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    module = _module(DynamicBinarisation())
    list(islice(module.train_dataloader(), 2))
    list(module.held_out("val", 10, 5))
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("transform", [Identity(), DynamicBinarisation(), FixedBinarisation(0)])
def test_held_out_does_not_depend_on_batch_size_or_seed(transform):
    one = joined(_module(transform).held_out("val", 100, 100))
    other = joined(_module(transform, seed=5).held_out("val", 100, 7))
    assert one.equal(other) and one.shape == (100, 1, 28, 28)


def test_held_out_whole_split_is_in_order():
    module = _module()
    examples = module.examples("test")
    whole = joined(module.held_out("test", None, 300))
    assert whole.add(1).mul(127.5).round().to(torch.uint8).equal(examples.data)


def test_a_part_of_a_sorted_split_holds_all_classes():
    module = _module()
    examples = module.examples("test")
    label = {image.numpy().tobytes(): int(c) for image, c in zip(examples.data, examples.labels, strict=True)}
    part = joined(module.held_out("test", 100, 50)).add(1).mul(127.5).round().to(torch.uint8)
    assert {label[image.numpy().tobytes()] for image in part} == set(range(10))


def test_fingerprints_of_the_splits_that_exist():
    assert set(_module().fingerprints()) == {"train", "val", "test"}
    assert set(_module(val=0).fingerprints()) == {"train", "test"}
    module = _module()
    assert module.fingerprints()["val"] == module.examples("val").fingerprint()
    assert module.examples("val") is module.examples("val")


def test_bad_arguments():
    for options, key in (({"workers": -1, "batch_size": 4}, "workers=-1"), ({"workers": 0, "batch_size": 0}, "batch")):
        with pytest.raises(DataError, match=key):
            DataModule(_module().source, Identity(), seed=0, **options)
    with pytest.raises(DataError, match="n=501, batch_size=5: n must be from 1 to the 500"):
        _module().held_out("val", 501, 5)
    with pytest.raises(DataError, match="split='val'"):
        _module(val=0).held_out("val", 1, 1)
    points = DensitySource("ring", [2], ring(8, 1.0, 0.1, 1.0), 10, 0, 0, 0)
    with pytest.raises(DataError, match="dynamic_binarisation: serves images"):
        DataModule(points, DynamicBinarisation(), 4, 0, 0)


class _Watch(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, _):
        self.seen.append(batch.x)
        return (batch.x.mean() - self.weight).square()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_lightning_trains_on_it(tmp_path):
    module, model = _module(), _Watch()
    trainer = pl.Trainer(
        max_steps=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(model, datamodule=module)
    assert torch.stack(model.seen).equal(stacked(islice(_module().train_dataloader(), 3)))
