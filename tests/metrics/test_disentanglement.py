"""MIG, DCI, SAP and the FactorVAE score: references from the papers' formulas, known extremes, errors by repetition."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import chi2, entropy, norm
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import balanced_accuracy_score, mutual_info_score
from sklearn.tree import DecisionTreeClassifier

from ganvas.data.source import KnownFactor
from ganvas.metrics.dci import concentration, dci, disentanglement
from ganvas.metrics.factor_vae_score import draw, factor_vae_score
from ganvas.metrics.factors import Codes, gap, shares, table
from ganvas.metrics.mig import mig
from ganvas.metrics.sap import sap

FACTORS = (
    KnownFactor("shape", 3, ordered=False),
    KnownFactor("scale", 4, ordered=True),
    KnownFactor("rotation", 8, ordered=True),
    KnownFactor("x", 5, ordered=True),
)
BINS = 20
SCORES = {
    "mig": lambda known: mig(known, BINS).scores["mig"],
    "sap": lambda known: sap(known, BINS).scores["sap"],
    "factor_vae_score": lambda known: factor_vae_score(known, 400, 32, 0).scores["factor_vae_score"],
    "dci_disentanglement": lambda known: dci(known, 5, 0).scores["dci_disentanglement"],
    "dci_completeness": lambda known: dci(known, 5, 0).scores["dci_completeness"],
}


def truth(n, seed, factors=FACTORS):
    random = np.random.RandomState(seed)
    return np.stack([random.randint(factor.values, size=n) for factor in factors], axis=1).astype(np.int64)


def coded(codes, values, factors=FACTORS, spread=0.0):
    return Codes(codes, np.full_like(codes, spread), values, factors)


def world(n, seed, mixing=0.4, noise=0.3, latents=6):
    """Codes that mix standardised factors, with noise; the same mixing for each seed."""
    values = truth(n, seed)
    matrix = np.random.RandomState(99).standard_normal((len(FACTORS), latents)) * mixing
    matrix[:, : len(FACTORS)] += np.eye(len(FACTORS))
    drawn = np.random.RandomState(seed + 1000).standard_normal((n, latents))
    return coded((values - values.mean(0)) / values.std(0) @ matrix + noise * drawn, values)


def factors_themselves(n=3000, factors=FACTORS):
    values = truth(n, 1, factors)
    return coded(values.astype(np.float64), values, factors)


def independent(n=3000):
    return coded(np.random.RandomState(5).standard_normal((n, 6)), truth(n, 1))


# References: straight from the papers.


def mig_of_the_paper(codes, values):
    """Information of scikit-learn on NumPy's histogram; entropy of a factor by its frequencies."""
    gaps = []
    for v in values.T:
        cut = [np.digitize(z, np.histogram(z, BINS)[1][:-1]) for z in codes.T]
        found = sorted(mutual_info_score(v, z) for z in cut)
        gaps.append((found[-1] - found[-2]) / entropy(np.bincount(v)))
    return np.mean(gaps)


def sap_of_the_paper(known):
    """The fit of a line by scikit-learn; for kinds, the best constant guess in each interval, by loops."""
    gaps = []
    for factor, v in zip(known.factors, known.values.T, strict=True):
        found = []
        for z in known.codes.T:
            if factor.ordered:
                found.append(LinearRegression().fit(z[:, None], v).score(z[:, None], v))
                continue
            cut, guess = np.digitize(z, np.histogram(z, BINS)[1][1:-1]), np.zeros(len(v), dtype=int)
            for b in np.unique(cut):
                rates = [((v == c) & (cut == b)).sum() / (v == c).sum() for c in range(factor.values)]
                guess[cut == b] = int(np.argmax(rates))
            found.append(balanced_accuracy_score(v, guess))
        gaps.append(sorted(found)[-1] - sorted(found)[-2])
    return np.mean(gaps)


def disentanglement_and_completeness(matrix):
    """By SciPy's entropy."""
    d = sum(row.sum() / matrix.sum() * (1 - entropy(row, base=len(row))) for row in matrix if row.sum())
    c = np.mean([1 - entropy(column, base=len(column)) for column in matrix.T])
    return d, c


def factor_vae_score_of_the_paper(known, votes, size, seed):
    """One vote after the other."""
    random, spread = np.random.default_rng(seed), known.codes.var(0)

    def vote():
        k = random.integers(known.values.shape[1])
        mates = np.flatnonzero(known.values[:, k] == known.values[random.integers(len(known)), k])
        within = known.codes[random.choice(mates, size)].var(0)
        return int(np.argmin(within / spread)), k

    counts = np.zeros((known.codes.shape[1], known.values.shape[1]))
    for j, k in (vote() for _ in range(votes)):
        counts[j, k] += 1
    answer = counts.argmax(1)
    return np.mean([answer[j] == k for j, k in (vote() for _ in range(votes))])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_mig_is_that_of_scikit_learns_information(seed, noise):
    known = world(800, seed, noise=noise)
    assert mig(known, BINS).scores["mig"] == pytest.approx(mig_of_the_paper(known.codes, known.values), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_sap_is_that_of_lines_and_thresholds(seed):
    known = world(800, seed)
    assert sap(known, BINS).scores["sap"] == pytest.approx(sap_of_the_paper(known), rel=1e-9)


def test_thresholds_separate_kinds_about_as_well_as_a_tree():
    """A tree may put its thresholds anywhere, so that it is a little better."""
    known = world(2000, 0, noise=0.6)
    v = known.values[:, 0]
    for z, ours in zip(known.codes.T, sap(known, BINS).matrix[:, 0], strict=True):
        tree = DecisionTreeClassifier(class_weight="balanced", max_leaf_nodes=8).fit(z[:, None], v)
        assert ours == pytest.approx(balanced_accuracy_score(v, tree.predict(z[:, None])), abs=0.08)


@pytest.mark.parametrize("seed", range(3))
def test_disentanglement_and_completeness_are_entropies_of_importances(seed):
    found = dci(world(600, seed), trees=5, seed=0)
    d, c = disentanglement_and_completeness(found.matrix)
    assert found.scores["dci_disentanglement"] == pytest.approx(d, rel=1e-9)
    assert found.scores["dci_completeness"] == pytest.approx(c, rel=1e-9)
    assert found.matrix.sum(0) == pytest.approx(np.ones(len(FACTORS)))


def test_disentanglement_on_paper():
    """Of three latents one serves a factor, one serves both alike, and one none: (1/1.6) · 1 + (.6/1.6) · 0."""
    matrix = np.array([[1.0, 0.0], [0.3, 0.3], [0.0, 0.0]])
    assert concentration(matrix) == pytest.approx([1, 0, 0]) and disentanglement(matrix) == pytest.approx(1 / 1.6)
    assert disentanglement(np.zeros((3, 2))) == 0.0


def test_forests_order_worlds_as_boosted_trees_do():
    """The predictor of disentanglement_lib, on the same codes."""
    ours, theirs = [], []
    for mixing in (0.0, 0.15, 0.5):
        known = world(500, 0, mixing=mixing, noise=0.1)
        trees = [
            GradientBoostingClassifier(n_estimators=10, random_state=0).fit(known.codes, v) for v in known.values.T
        ]
        theirs.append(disentanglement_and_completeness(np.stack([t.feature_importances_ for t in trees], axis=1)))
        found = dci(known, trees=10, seed=0).scores
        ours.append((found["dci_disentanglement"], found["dci_completeness"]))
    assert (np.diff(ours, axis=0) < 0).all() and (np.diff(theirs, axis=0) < 0).all()
    assert np.array(ours) == pytest.approx(np.array(theirs), abs=0.2)


@pytest.mark.parametrize("mixing", [0.0, 0.5, 1.5])
def test_factor_vae_score_is_that_of_one_vote_after_the_other(mixing):
    known, votes = world(1500, 0, mixing=mixing, noise=0.5), 3000
    ours = [factor_vae_score(known, votes, 16, seed).scores["factor_vae_score"] for seed in range(3)]
    reference = factor_vae_score_of_the_paper(known, votes, 16, seed=7)
    assert np.mean(ours) == pytest.approx(reference, abs=4 * math.sqrt(0.25 / votes))


def test_the_classifier_does_not_know_the_votes_that_it_is_tested_on():
    """A dozen votes on noise: who had seen them would be right far more often than a guess."""
    known = independent(500)
    found = [factor_vae_score(known, 12, 4, seed).scores["factor_vae_score"] for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.25, abs=4 * np.std(found) / math.sqrt(60))
    assert np.mean(found) < 0.35


def test_a_vote_shares_one_value_and_draws_all_alike():
    values = truth(400, 3)
    factors, rows = draw(values, 20_000, 5, np.random.RandomState(0))
    for factor in range(4):
        fixed = values[rows[factors == factor], factor]
        assert (fixed == fixed[:, :1]).all()
        assert len(np.unique(values[rows[factors == factor], (factor + 1) % 4][0])) > 1
    expected = 20_000 / 4
    assert ((np.bincount(factors) - expected) ** 2 / expected).sum() < chi2.ppf(0.9999, 3)
    counts, n = np.bincount(rows.reshape(-1), minlength=400), rows.size / 400
    assert np.abs(counts / n - 1).max() < 0.35 and counts.std() / n < 0.12


# Extremes.


def test_the_factors_themselves_are_perfectly_disentangled():
    known = factors_themselves()
    assert mig(known, BINS).scores["mig"] == pytest.approx(1, abs=0.02)
    found = dci(known, 10, 0).scores
    assert found["dci_disentanglement"] > 0.99 and found["dci_completeness"] > 0.99
    assert found["dci_informativeness"] > 0.99
    assert factor_vae_score(known, 800, 64, 0).scores["factor_vae_score"] == 1
    # A guess among three kinds is right in a third of the cases, which the second latent has too.
    assert sap(known, BINS).scores["sap"] == pytest.approx((1 - 1 / 3 + 3) / 4, abs=0.02)
    ordered = FACTORS[1:]
    assert sap(factors_themselves(factors=ordered), BINS).scores["sap"] == pytest.approx(1, abs=0.01)


def test_fewer_intervals_than_values_lower_the_floor():
    many = (KnownFactor("x", 32, ordered=True), KnownFactor("y", 32, ordered=True))
    known = factors_themselves(20_000, many)
    assert mig(known, 16).scores["mig"] == pytest.approx(math.log(16) / math.log(32), abs=0.03)


def test_noise_says_nothing():
    known = independent()
    assert mig(known, BINS).scores["mig"] < 0.01 and sap(known, BINS).scores["sap"] < 0.02
    found = dci(known, 10, 0).scores
    assert found["dci_disentanglement"] < 0.05 and found["dci_completeness"] < 0.05
    assert found["dci_informativeness"] < 0.15  # a third for the shapes, 0 for the others
    assert factor_vae_score(known, 4000, 64, 0).scores["factor_vae_score"] == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("name", SCORES)
def test_turned_latents_have_lower_scores(name):
    """An eighth turn of the planes of two factors each, then of two others, mixes all of them."""
    values, c = truth(3000, 1), math.sqrt(0.5)
    codes = (values - values.mean(0)) / values.std(0)
    turned = codes.copy()
    for a, b in ((0, 1), (2, 3), (0, 2), (1, 3)):
        turned[:, a], turned[:, b] = c * (turned[:, a] - turned[:, b]), c * (turned[:, a] + turned[:, b])
    apart, mixed = (SCORES[name](coded(z, values)) for z in (codes, turned))
    assert mixed < apart - 0.1


@pytest.mark.parametrize("name", SCORES)
def test_scores_depend_on_neither_order_nor_sign_nor_scale_of_the_latents(name):
    known = world(1500, 0)
    other = known.with_codes((known.codes * [-3.0, 0.1, 20.0, 1.0, -1.0, 0.5])[:, ::-1])
    near = 1e-9 if name in ("mig", "sap") else 0.03
    assert SCORES[name](other) == pytest.approx(SCORES[name](known), abs=near + 0.02 * (name == "mig"))


@pytest.mark.parametrize("name", ["mig", "sap"])
def test_the_error_over_parts_is_that_of_new_examples(name):
    again = np.std([SCORES[name](world(2000, seed)) for seed in range(40)], ddof=1)
    errors = [
        np.std([SCORES[name](part) for part in world(2000, seed).parts(5, 0)], ddof=1) / math.sqrt(5)
        for seed in range(15)
    ]
    assert again / 1.7 < np.sqrt(np.mean(np.square(errors))) < again * 1.7


def test_parts_are_disjoint_and_a_function_of_the_seed():
    known = world(1001, 0)
    parts = list(known.parts(4, 3))
    assert sorted(map(len, parts)) == [250, 250, 250, 251]
    together = np.concatenate([part.codes for part in parts])
    assert len(np.unique(together, axis=0)) == 1001 == len(np.unique(np.concatenate([known.codes, together]), axis=0))
    assert all((a.codes == b.codes).all() for a, b in zip(parts, known.parts(4, 3), strict=True))
    assert not (parts[0].codes == next(known.parts(4, 4)).codes).all()


def test_gaps_and_intervals_on_paper():
    assert gap(np.array([[1.0, 4.0], [3.0, 4.0], [2.0, 0.0]])).tolist() == [1.0, 0.0]
    means, values = np.array([0.0, 0.49, 0.51, 1.0]), np.array([2, 0, 2, 2])
    cut = shares(means, np.zeros(4), 2)
    assert cut.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]] and table(cut, values).tolist() == [[1, 1], [0, 2]]
    # Of N(0, 1) and N(1, 1) from -3 to 4: four intervals with edges at -1.25, .5 and 2.25.
    spread = shares(np.array([0.0, 1.0]), np.ones(2), 4)
    edges = np.array([-np.inf, -1.25, 0.5, 2.25, np.inf])
    assert spread == pytest.approx(np.stack([np.diff(norm.cdf(edges, mean)) for mean in (0, 1)]))
    assert shares(np.full(3, 7.0), np.zeros(3), 5).sum(1).tolist() == [1, 1, 1]


def information_by_draws(means, spreads, values, draws, seed):
    """Chen et al. 2018, appendix C: entropies of mixtures of posteriors, for all examples and each value, by draws."""
    random = np.random.default_rng(seed)

    def entropy_of(members):
        chosen = random.choice(members, draws)
        z = means[chosen] + spreads[chosen] * random.standard_normal(draws)
        densities = norm.logpdf(z[:, None], means[members], spreads[members])
        return -(logsumexp(densities, axis=1) - math.log(len(members))).mean()

    rates = np.bincount(values) / len(values)
    conditional = sum(rate * entropy_of(np.flatnonzero(values == v)) for v, rate in enumerate(rates))
    return entropy_of(np.arange(len(values))) - conditional


@pytest.mark.parametrize("spread", [0.1, 0.3, 1.0])
def test_information_is_that_of_draws_from_the_posterior(spread):
    """The estimator of the authors, on the same means and deviations."""
    known = world(1000, 0, noise=0.2)
    deviations = spread * (1 + 0.5 * np.random.RandomState(0).random_sample(known.codes.shape))
    ours = mig(Codes(known.codes, deviations, known.values, FACTORS), 200).matrix
    for latent, factor in ((0, 0), (1, 1), (2, 3), (5, 2)):
        theirs = information_by_draws(known.codes[:, latent], deviations[:, latent], known.values[:, factor], 2000, 1)
        assert ours[latent, factor] == pytest.approx(theirs, abs=0.08)


def unused(known, scale=1e-3):
    """Replace the last two latents by faint copies of the first two, lost in posteriors of deviation 1."""
    codes, spreads = known.codes.copy(), np.full_like(known.codes, 0.05)
    codes[:, -2:], spreads[:, -2:] = scale * codes[:, :2], 1.0
    return Codes(codes, spreads, known.values, FACTORS)


@pytest.mark.parametrize("name", SCORES)
def test_a_latent_that_is_not_used_does_not_count(name):
    """Its means say as much as those of a used latent, for whoever ignores that its posterior hides them."""
    values = truth(3000, 1)
    codes = np.concatenate([(values - values.mean(0)) / values.std(0), np.zeros((3000, 2))], axis=1)
    alone, beside = coded(codes, values, spread=0.05), unused(coded(codes, values))
    assert SCORES[name](beside) == pytest.approx(SCORES[name](alone), abs=0.03)
    ignorant = SCORES[name](Codes(beside.codes, np.zeros_like(codes), values, FACTORS))
    # A copy takes nothing from a latent that serves one factor, nor from the votes for it.
    assert ignorant < SCORES[name](beside) - 0.1 or name in ("factor_vae_score", "dci_disentanglement")


def test_a_latent_is_used_if_a_hundredth_of_its_variance_lies_between_examples():
    random = np.random.RandomState(0)
    codes = random.standard_normal((4000, 4)) * [0.09, 0.12, 9.0, 1.2] + [0, 0, 5, 0]
    spreads = np.array([1.0, 1.0, 100.0, 0.0]) * np.ones((4000, 1))
    known = Codes(codes, spreads, truth(4000, 0), FACTORS)
    assert (known.used.var(0) > 0).tolist() == [False, True, False, True]
    assert not Codes(np.ones((4000, 2)), np.zeros((4000, 2)), known.values, FACTORS).used.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, v: (c[:, :1], v), "at least 2 latents, got 1"),
        (lambda c, v: (np.where(np.arange(len(c))[:, None] == 3, np.nan, c), v), "1 of 50 examples have codes"),
        (lambda c, v: (c, v * [1, 0, 1, 1]), "the factor scale has one value in all 50 examples; raise factors.n"),
    ],
)
def test_codes_that_cannot_be_judged_are_refused(change, message):
    known = world(50, 0)
    with pytest.raises(ValueError, match=message):
        coded(*change(known.codes, known.values))


def test_too_small_parts_are_refused():
    with pytest.raises(ValueError, match=r"factors.parts=4: expected at least 20 examples in each part, got 79"):
        list(world(79, 0).parts(4, 0))
