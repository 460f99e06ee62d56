"""IS-infinity against a known score, and the error of a score against redrawn images."""

import numpy as np
import pytest
import torch

from ganvas.metrics.extrapolation import Line
from ganvas.metrics.inception_score import inception_score
from ganvas.metrics.is_infinity import is_infinity, score_error

K = 20
LINE = Line(points=9, share=0.1, seed=0)


def draw(n, seed, k=K):
    """Confident logits of uniform classes."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(k, (n,), generator=generator)
    return 30.0 * torch.nn.functional.one_hot(classes, k).float()


def published(logits, counts, seed):
    """The authors' steps: scores of subsets without splits, and a line in 1/N by least squares."""
    generator = torch.Generator().manual_seed(seed)
    scores = []
    for count in counts:
        p = logits[torch.randperm(len(logits), generator=generator)[:count]].double().softmax(1).numpy()
        p = np.clip(p, 1e-300, None)
        scores.append(np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(axis=0))), axis=1))))
    return np.polyfit(1 / np.array(counts), scores, 1)[1]


def test_it_is_the_published_line():
    logits = draw(300, 0) + torch.randn(300, K, generator=torch.Generator().manual_seed(5)) * 20
    assert is_infinity(logits, LINE)[0] == pytest.approx(published(logits, LINE.counts(300), 0), rel=1e-6)


def test_it_reads_the_number_of_classes_where_the_score_is_too_low():
    found = [(is_infinity(draw(600, s), LINE)[0], inception_score(draw(600, s), splits=1, seed=0)[0]) for s in range(8)]
    extrapolated, plain = np.mean(found, axis=0)
    assert plain < K - 0.2 and abs(extrapolated - K) < (K - plain) / 2


def test_the_error_is_what_the_score_moves_by_when_images_are_drawn_again():
    def mixed(seed):
        generator = torch.Generator().manual_seed(seed)
        sure = torch.rand(200, 1, generator=generator) * 8
        return draw(200, seed, k=4) / 30 * sure

    values = [inception_score(mixed(s), splits=1, seed=0)[0] for s in range(120)]
    errors = [score_error(mixed(s)) for s in range(120)]
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="fake: IS-infinity expects at least 20 images, got 19"):
        is_infinity(draw(19, 0), LINE)
