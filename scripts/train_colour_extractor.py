r"""Train the embedded CIFAR-10 classifier and write the weights that the package ships.

Cross-entropy with label smoothing on 45,000 training images under flips and shifts, Nesterov SGD with a one-cycle
learning rate, convolutions in bfloat16:

    python scripts/train_colour_extractor.py --train train.npz --test test.npz --state STATE --out FILE.safetensors

Both files hold ``images`` (n, 32, 32, 3) uint8 and ``labels`` (n,). The last 500 images of each class in ``train.npz``
are held out and never trained on. Progress is saved in ``STATE`` after every epoch, and the same command continues
from there. The script prints the accuracy on the held-out images, on the test images and on both, and the SHA-256 that
``ganvas.extractors.cifar10`` pins: new weights change every score, so weights and SHA-256 change together.

The shipped weights had 8 epochs. The first five ran with the learning rates of ``--epochs 12``; the run was stopped
there and continued with ``--epochs 8``, to end earlier. A run of 8 epochs from the start gives other weights.

Reference: Jordan 2024, https://arxiv.org/abs/2404.00498 (whitening, identity initialisation, alternating flips, fast
biases), with shifts of 3 pixels and a label smoothing of 0.1.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from ganvas.extractors.cifar10_cnn import Cifar10CNN
from ganvas.types import to_float

HELD_OUT: Final = 500
SHIFT: Final = 3
SMOOTHING: Final = 0.1
BIAS_SPEED: Final = 64

Labelled = tuple[Tensor, Tensor]


def read(path: Path) -> Labelled:
    """Read ``uint8 (n, 3, 32, 32)`` images and their labels."""
    with np.load(path) as file:
        images, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"])
    return images.permute(0, 3, 1, 2).contiguous(), labels.long()


def hold_out(images: Tensor, labels: Tensor) -> tuple[Labelled, Labelled]:
    """Split off the last 500 images of each class in the file's order."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    for k in labels.unique():
        held[(labels == k).nonzero().flatten()[-HELD_OUT:]] = True
    return (images[~held], labels[~held]), (images[held], labels[held])


def initialised(images: Tensor, seed: int) -> Cifar10CNN:
    """Build the network with whitening patches, near-identity convolutions and a fixed scale of normalisation."""
    torch.manual_seed(seed)
    model = Cifar10CNN()
    patches = to_float(images[:5000]).unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    values, vectors = torch.linalg.eigh((patches - patches.mean(0)).T.cov())
    white = (vectors / (values + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
    model.whiten.weight.data = torch.cat([white, -white])
    model.whiten.bias = nn.Parameter(-(model.whiten.weight.flatten(1) @ patches.mean(0)).detach())
    model.whiten.weight.requires_grad_(False)
    for module in model.trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.dirac_(module.weight.data[: module.in_channels])
        if isinstance(module, nn.BatchNorm2d):
            module.weight.requires_grad_(False)
    return model.to(memory_format=torch.channels_last)


def vary(images: Tensor, flip: Tensor, draws: torch.Generator) -> Tensor:
    """Mirror the chosen images, and shift all of them by up to 3 pixels into their mirrored border."""
    x = F.pad(to_float(images), (SHIFT,) * 4, mode="reflect")
    windows = x.unfold(2, 32, 1).unfold(3, 32, 1)
    row, column = torch.randint(2 * SHIFT + 1, (2, len(x)), generator=draws)
    x = windows[torch.arange(len(x)), :, row, column]
    return torch.where(flip.view(-1, 1, 1, 1), x.flip(3), x).contiguous(memory_format=torch.channels_last)


def groups(model: Cifar10CNN, lr: float, decay: float) -> list[dict[str, object]]:
    """Give the biases of normalisation a higher learning rate and the same decay in each step."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    fast = [p for name, p in trained.items() if name.startswith("trunk") and name.endswith("bias")]
    slow = [p for name, p in trained.items() if not (name.startswith("trunk") and name.endswith("bias"))]
    return [
        {"params": slow, "peak": lr, "weight_decay": decay},
        {"params": fast, "peak": lr * BIAS_SPEED, "weight_decay": decay / BIAS_SPEED},
    ]


def one_cycle(t: float) -> float:
    """Share of the peak learning rate at the share ``t`` of training: 0.2 to 1 within 23%, then linearly to 0."""
    return float(np.interp(t, [0, 0.23, 1], [0.2, 1, 0]))


def epoch_of_training(
    model: Cifar10CNN, optimiser: torch.optim.Optimizer, data: Labelled, args: argparse.Namespace, epoch: int
) -> float:
    """Train on every image once; the draws depend on seed and epoch alone, so a continued run is the same run."""
    images, labels = data
    draws = torch.Generator().manual_seed(1000 * args.seed + epoch)
    first_flip = torch.rand(len(images), generator=torch.Generator().manual_seed(args.seed)) < 0.5
    flip, steps, losses = first_flip ^ bool(epoch % 2), len(images) // args.batch, []
    order = torch.randperm(len(images), generator=draws)[: steps * args.batch].view(steps, args.batch)
    model.train()
    for step, index in enumerate(order[: args.steps]):
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * one_cycle((epoch + step / steps) / args.epochs)
        x = vary(images[index], flip[index], draws)
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(x)[1].float(), labels[index], label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses[-50:]))


@torch.inference_mode()
def correct(model: Cifar10CNN, images: Tensor, labels: Tensor) -> Tensor:
    """Say for each image whether its largest logit is its label, in float32."""
    model.eval()
    return torch.cat([model(to_float(x))[1].argmax(1) for x in images.split(500)]) == labels


def train(data: Labelled, watched: Labelled, args: argparse.Namespace) -> Cifar10CNN:
    """Train from scratch or from the saved state; ``watched`` is only reported, nothing is chosen by it."""
    model = initialised(data[0], args.seed)
    optimiser = torch.optim.SGD(groups(model, args.lr, args.decay), lr=args.lr, momentum=args.momentum, nesterov=True)
    first = 0
    if args.state.exists():
        saved = torch.load(args.state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["epochs"]
    for epoch in range(first, args.epochs):
        started = time.time()
        loss = epoch_of_training(model, optimiser, data, args, epoch)
        share = float(correct(model, *watched).double().mean())
        print(
            f"epoch {epoch + 1}/{args.epochs}  loss {loss:.4f}  watched {share:.4f}  {time.time() - started:.0f} s",
            flush=True,
        )
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "epochs": epoch + 1}
        torch.save(state, args.state.with_suffix(".new"))
        args.state.with_suffix(".new").replace(args.state)
    return model


def halved(model: Cifar10CNN) -> dict[str, Tensor]:
    """Weights in half precision without the step counters of batch normalisation, which only training needs."""
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    return {k: v.half().contiguous() for k, v in state.items()}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Train the embedded CIFAR-10 extractor.")
    parser.add_argument("--train", type=Path, required=True, help="npz of the 50,000 training images")
    parser.add_argument("--test", type=Path, required=True, help="npz of test images")
    parser.add_argument("--state", type=Path, required=True, help="file in which progress is kept")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=None, help="stop an epoch early, to measure the speed")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.375)
    parser.add_argument("--decay", type=float, default=1.3e-3)
    parser.add_argument("--momentum", type=float, default=0.85)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train, write the weights, print accuracies of the written weights and their SHA-256."""
    args = arguments()
    trained_on, held = hold_out(*read(args.train))
    test = read(args.test)
    model = train(trained_on, (held[0][::5], held[1][::5]), args)
    weights = halved(model)
    model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    parts = {"held-out": correct(model, *held), "test": correct(model, *test)}
    parts["both"] = torch.cat(list(parts.values()))
    for name, right in parts.items():
        print(f"{name}: {right.double().mean():.4%} of {len(right):,} images")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, args.out)
    print(f"sha256 {hashlib.sha256(args.out.read_bytes()).hexdigest()}\nbytes {args.out.stat().st_size}")


if __name__ == "__main__":
    main()
