"""Networks for larger images: two steps at 64 and 128 pixels, grey and colour, and graphs that decode as they do."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.export import Dim
from torch.utils.data import DataLoader

from ganvas.config import build, compose
from ganvas.config.compose import register
from ganvas.exports import graphs
from ganvas.networks import ladder, stylegan2, vdvae
from ganvas.types import Batch

CLASSES = 3
NARROW = {  # as narrow as the configs allow
    "biggan": ["generator.channels=1", "conditional_generator.embedding=2", "critic.channels=1"],
    "dcgan": ["generator.channels=[8,4,4,4]", "critic.channels=[4,4,4,8]"],
    "r3gan": ["generator.channels=8", "critic.channels=8"],
    "resnet": ["generator.channels=4", "critic.channels=4"],
    "sagan": ["generator.channels=1", "critic.channels=1"],
    "sngan_resnet": ["generator.channels=4", "critic.channels=4"],
    "stylegan2": ["generator.channels=4", "generator.style_dim=4", "critic.channels=4"],
}
MODELS = {
    "plain": ["model=gan"],
    # Not the model's spectral normalisation: layers of r3gan start at 0.
    "conditional": ["model=projection_gan", "constraint=r1", f"classes={CLASSES}"],
}


def trained(network, kind, size, channels):
    """A model after two steps on random images."""
    register()
    shape = f"data.shape=[{channels},{size},{size}]"
    widths = [f"network.{width}" for width in NARROW[network]]
    line = [*MODELS[kind], f"network={network}", *widths, "data=npz", "data.path=x", shape, "prior.dim=12"]
    torch.manual_seed(0)
    model = build(compose("train", [*line, "paths.output=out"]).model)
    before = [parameter.clone() for parameter in model.generator.parameters()]
    y = torch.arange(4) % CLASSES if kind == "conditional" else None
    batch = Batch(torch.rand(4, channels, size, size) * 2 - 1, y, torch.arange(4))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(model, DataLoader([batch] * 2, batch_size=None))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, model.generator.parameters(), strict=True))
    return model


def inputs(model, n):
    z = model.prior.sample(n, generator=torch.Generator().manual_seed(5))
    return (z,) if model.classes is None else (z, torch.arange(n) % CLASSES)


@pytest.mark.parametrize("network", NARROW)
def test_trains_at_64_pixels(network):
    trained(network, "conditional", size=64, channels=3)


@pytest.mark.parametrize("residual", [False, True])
def test_the_graph_of_stylegan2_takes_any_number_of_latents(residual):
    generator = stylegan2.Generator((1, 16, 16), 4, 2, 3, 1, residual, 0.0).eval()
    z = torch.randn(5, 4)
    program = torch.export.export(generator, (z[:3],), dynamic_shapes=({0: Dim("n")},))
    torch.testing.assert_close(program.module()(z), generator(z))


@pytest.mark.parametrize("kind", [ladder.Ladder, vdvae.VDVAE])
def test_the_graph_of_a_hierarchy_takes_any_number_of_latents(kind):
    torch.manual_seed(0)
    init = torch.nn.init.xavier_uniform_
    if kind is vdvae.VDVAE:
        network = vdvae.VDVAE((1, 8, 8), [1, 1, 1], [0, 0, 1], 4, 2, 2, "GELU", init, None).eval()
    else:
        network = ladder.Ladder((1, 8, 8), [2, 3], [4, 5], 1, "ReLU", True, init, None).eval()
    z = torch.randn(5, sum(network.groups))
    program = torch.export.export(network, (z[:3],), dynamic_shapes=({0: Dim("n")},))
    torch.testing.assert_close(program.module()(z), network(z))


@pytest.mark.slow
@pytest.mark.parametrize("network", NARROW)
@pytest.mark.parametrize(
    ("kind", "size", "channels"), [("plain", 64, 1), ("conditional", 64, 3), ("plain", 128, 3), ("conditional", 128, 1)]
)
def test_trains_and_its_graphs_decode_as_the_model_does(network, kind, size, channels, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = trained(network, kind, size, channels)
    assert [graph.lacking for graph in graphs.write_graphs(model, tmp_path)] == ["", ""]
    given = inputs(model, 5)
    graph = torch.export.load(tmp_path / graphs.TORCH).module()
    torch.testing.assert_close(graph(*given), model.decoded(*given), rtol=0, atol=1e-5)
    session = onnxruntime.InferenceSession(tmp_path / graphs.ONNX, providers=["CPUExecutionProvider"])
    made = session.run(["x"], dict(zip("zy", (tensor.numpy() for tensor in given), strict=False)))[0]
    assert made.shape == (5, channels, size, size)
    assert np.abs(made - model.decoded(*given).numpy()).max() <= graphs.TOLERANCE
