"""The question whether there is a GPU, which Adam asks at every step, made cheap on a machine without one.

Lightning sets ``PYTORCH_NVML_BASED_CUDA_CHECK=1``. PyTorch then asks NVIDIA's management library and does not start
CUDA, because a process that is forked after the start of CUDA cannot use the GPU. Where this library is missing, each
step of Adam looks for its file on the disk again, which took 0.5 ms in a training; docs/benchmarks.md. CUDA itself
answers from memory, and without a GPU a fork has nothing to lose. No number of a training changes.
"""

from __future__ import annotations

import os
from typing import Final

import torch

ASKS_NVML: Final = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""Environment variable by which PyTorch asks NVIDIA's management library."""


def answer_from_memory() -> bool:
    """Let CUDA itself say that there is no GPU, for the whole process; with a GPU nothing changes.

    Returns:
        Whether there is no GPU.
    """
    missing = not torch.cuda.is_available()
    if missing:
        os.environ[ASKS_NVML] = "0"
    return missing
