r"""Train the embedded MNIST classifier and write the weights that the package ships.

Cross-entropy on the 60,000 training digits under random affine maps (rotation, scale, shift), AdamW with a one-cycle
learning rate:

    python scripts/train_extractor.py --data DIR --out src/ganvas/extractors/weights/mnist_cnn.safetensors

``DIR`` is a torchvision root, which holds ``MNIST/raw``. The script prints the test accuracy, and the SHA-256 that
``ganvas.extractors.mnist`` pins: new weights change every score, so weights and SHA-256 change together. The same seed,
thread count and libraries give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from torchvision.datasets import MNIST

from ganvas.extractors.mnist_cnn import MnistCNN
from ganvas.types import to_float


def digits(root: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Load one split of MNIST: ``uint8 (n, 1, 28, 28)`` and labels."""
    split = MNIST(root=str(root), train=train, download=False)
    return split.data.unsqueeze(1), split.targets


def jitter(x: Tensor, generator: torch.Generator) -> Tensor:
    """Apply a random affine map to each digit: up to 10 degrees, 10% of scale, 2 pixels of shift."""
    u = torch.rand(len(x), 4, generator=generator).mul_(2).sub_(1)
    angle, scale, shift = u[:, 0] * math.radians(10), 1 + 0.1 * u[:, 1], u[:, 2:] * (2 / 14)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1).view(-1, 2, 3)
    # grid_sample writes zeros outside the frame, so the background is shifted to zero and back.
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, grid, align_corners=False) - 1


@torch.inference_mode()
def accuracy(model: MnistCNN, images: Tensor, labels: Tensor) -> float:
    """Share of digits whose largest logit is the label."""
    model.eval()
    predicted = torch.cat([model(to_float(x))[1].argmax(1) for x in images.split(500)])
    return float((predicted == labels).double().mean())


def train(images: Tensor, labels: Tensor, *, epochs: int, batch: int, lr: float, seed: int) -> MnistCNN:
    """Train from scratch; every draw comes from ``seed``."""
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    model = MnistCNN().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.05, betas=(0.9, 0.99))
    steps = len(images) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        started, model = time.time(), model.train()
        for index in torch.randperm(len(images), generator=draws)[: steps * batch].view(steps, batch):
            x = jitter(to_float(images[index]), draws).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(model(x)[1], labels[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}  loss {loss.item():.4f}  {time.time() - started:.0f} s", flush=True)
    return model


def write(model: MnistCNN, path: Path) -> str:
    """Save as float32 safetensors without the step counters of batch normalisation, which only training needs."""
    state = {k: v.contiguous() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Train the embedded MNIST extractor.")
    parser.add_argument("--data", type=Path, required=True, help="torchvision root that holds MNIST/raw")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train, write the weights, print accuracy and SHA-256."""
    args = arguments()
    images, labels = digits(args.data, train=True)
    model = train(images, labels, epochs=args.epochs, batch=args.batch, lr=args.lr, seed=args.seed)
    test = accuracy(model, *digits(args.data, train=False))
    digest = write(model.to(memory_format=torch.contiguous_format), args.out)
    print(f"test accuracy {test:.4%}\nsha256 {digest}\nbytes {args.out.stat().st_size}")


if __name__ == "__main__":
    main()
