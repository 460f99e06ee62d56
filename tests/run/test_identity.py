"""Hashes of trainings stay what they were when a key comes that changes nothing, so that begun sweeps go on."""

import pytest

from ganvas.config import compose
from ganvas.run.identity import job_hash

RECORDED = {  # by the version of 26 November 2026, before there were classes, augmentation and auxiliary terms
    "model=gan": "a34d7996c53f",
    "model=wgan_gp network=dcgan": "ef4a51c611f5",
    "model=vae": "c63d00d26b81",
    "model=pacgan": "793d50a9dd08",
    "experiment=article_gan": "38aa52370185",
}


@pytest.mark.parametrize("line", RECORDED)
def test_a_training_has_the_hash_that_it_had(line):
    assert job_hash(compose("train", [*line.split(), "paths.output=x"])) == RECORDED[line]


@pytest.mark.parametrize(
    "changed",
    ["accumulate=2", "model.unroll=1", "augment=flip", "auxiliary=feature_matching", "regulariser=orthogonal"],
)
def test_what_changes_the_numbers_changes_the_hash(changed):
    assert job_hash(compose("train", ["model=gan", changed, "paths.output=x"])) != RECORDED["model=gan"]
