"""Small files in the form of dSprites and of 3D Shapes, and the sources that read them."""

from itertools import product

import numpy as np
import pytest

from ganvas.data.sources.dsprites import DSprites
from ganvas.data.sources.shapes3d import Shapes3D


def dsprites_arrays():
    """Every combination once: colour 1, shape 3, scale 2, orientation 4, x 2, y 3 values; an image is its number."""
    classes = np.array(list(product(range(1), range(3), range(2), range(4), range(2), range(3))))
    number = np.arange(len(classes))[:, None] >> np.arange(8) & 1
    images = np.zeros((len(classes), 5, 7), dtype=np.uint8)
    images[:, 1, :] = number[:, :7]
    images[:, 3, 6] = number[:, 7]
    return {"imgs": images, "latents_classes": classes, "latents_values": classes / 2}


def dsprites(path):
    np.savez_compressed(path / "dsprites.npz", **dsprites_arrays())
    return DSprites("dsprites", [1, 5, 7], str(path / "dsprites.npz"), val=11, test=13)


def shapes3d_arrays():
    """Hues of the floor 3, sizes 2, shapes 4, orientations 5; the other hues are fixed; an image is its number."""
    hues, sizes, turns = (0.0, 0.1, 0.2), (0.75, 1.25), np.linspace(-30, 30, 5)
    labels = np.array(list(product(hues, (0.5,), (0.9,), sizes, range(4), turns)))
    images = np.zeros((len(labels), 6, 4, 3), dtype=np.uint8)
    images[:, 2, 1, 0], images[:, 2, 1, 2] = np.arange(len(labels)), 255
    return {"images": images, "labels": labels}


def shapes3d(path, memory_limit_gb):
    h5py = pytest.importorskip("h5py", reason="pip install '.[shapes3d]'")
    with h5py.File(path / "3dshapes.h5", "w") as file:
        for name, array in shapes3d_arrays().items():
            file.create_dataset(name, data=array, compression="gzip")
    return Shapes3D("shapes3d", [3, 6, 4], str(path / "3dshapes.h5"), val=11, test=13, memory_limit_gb=memory_limit_gb)
