"""What the papers' programs compute themselves, against values known otherwise."""

import math
import re
from importlib.resources import files

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from scipy.integrate import quad
from scipy.spatial.distance import jensenshannon, pdist
from scipy.stats import norm
from sklearn.decomposition import PCA

from ganvas.data.sources.sprites import Sprites
from ganvas.metrics.factors import gap
from ganvas.metrics.mig import mig
from ganvas.networks import init, mlp
from ganvas.objectives import ELBO, IWAE, Draws, DReG, Gaussian
from ganvas.papers import ladder
from ganvas.papers.beta_tc import themselves, turned
from ganvas.papers.cifar10 import FILE, cifar10
from ganvas.papers.infogan_codes import matched
from ganvas.papers.iwae_table1 import epochs_of_stages, linear_gaussian
from ganvas.papers.linear_gaussian import SIGMA, LinearGaussian
from ganvas.papers.linear_vae import PPCA, LinearVAE, angle, evidence, ppca
from ganvas.papers.little_data import Outcome, copies_with_quality
from ganvas.papers.lucic_table import MODELS, drawn
from ganvas.papers.program import Desk
from ganvas.papers.svae_table1 import divergence_error
from ganvas.papers.tighter_bounds import World, leading_ratio, ratios, signal_to_noise, slope
from ganvas.papers.wgan_figures import between, jensen_shannon, line


def test_the_divergence_of_finite_distributions_is_scipys():
    p, q = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.25, 0.0, 0.25, 0.5])
    points = torch.arange(4.0)[:, None]
    drawn = [torch.cat([points[[i]] for i in range(4) for _ in range(int(4 * share[i]))]) for share in (p, q)]
    assert jensen_shannon(*drawn) == pytest.approx(jensenshannon(p, q) ** 2)
    assert jensen_shannon(line(0.0), line(1e-3)) == pytest.approx(math.log(2))


def test_values_are_averaged_since_the_stop_before():
    assert between([1, 2, 3, 4, 5], [1.0, 2.0, 3.0, 4.0, 9.0], stops=[2, 4]) == [1.5, 3.5]


def test_the_exact_evidence_bounds_the_bound_and_the_stages_are_a_geometric_series():
    bound, exact = linear_gaussian(seed=3)
    assert abs(float((bound - exact).mean())) < 0.05 and float((bound - exact).abs().max()) > 0
    assert epochs_of_stages(5) == 121 and epochs_of_stages(8) == 3280


def test_the_evidence_of_a_linear_model_is_that_of_bayes_rule():
    """log p(x) = log p(x | z) + log p(z) - log p(z | x) at any z; independent latents have a diagonal posterior."""
    model = LinearGaussian(3, seed=1)
    model.w = torch.linalg.qr(model.w)[0]  # orthogonal columns
    x = model.points(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double())
    z = torch.full((5, 3), 0.3).double()
    mean, deviation = model.posterior_moments(x)
    standard = torch.distributions.Normal(torch.zeros(3).double(), 1.0)
    posterior = torch.distributions.Normal(mean, deviation)
    expected = model.log_likelihood(x, z) + standard.log_prob(z).sum(-1) - posterior.log_prob(z).sum(-1)
    torch.testing.assert_close(model.evidence(x, standard.mean, standard.stddev), expected)
    assert deviation.tolist() == pytest.approx([SIGMA / math.sqrt(1 + SIGMA**2)] * 3)


def test_the_divergence_on_the_sphere_is_elementary_in_three_coordinates():
    assert divergence_error() < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_the_narrow_search_draws_within_the_papers_ranges(name):
    """The ranges of the shipped sweep file, which states them apart; over its whole width and by the logarithm."""
    text = OmegaConf.load(files("ganvas.conf") / "sweep" / "lucic_narrow.yaml")
    written = {**text.params, **{k: v for branch in text.when.values() for k, v in branch.items()}}
    found = [dict(v.split("=") for v in drawn(MODELS[name][1], seed)) for seed in range(400)]
    for key in found[0]:
        low, high = (math.log10(float(end)) for end in re.search(r"interval\((.*?), (.*?)\)", written[key]).groups())
        logs = np.log10([float(draw[key]) for draw in found])
        width = high - low
        assert low - 1e-5 <= logs.min() < low + 0.05 * width and high - 0.05 * width < logs.max() <= high + 1e-5
        assert abs(logs.mean() - (low + high) / 2) < 0.1 * width


def test_codes_are_matched_one_to_one_so_that_most_examples_are_right():
    """Code 0 is mostly class 1, code 1 always: one of them must take another class, the one that loses less."""
    codes = torch.tensor([0] * 5 + [1] * 4 + [*range(2, 10)])
    labels = torch.tensor([1] * 3 + [0] * 2 + [1] * 4 + [*range(2, 10)])
    assert matched(codes, labels).tolist() == [0, 1, *range(2, 10)]
    labels = (3 * codes + 4) % 10
    assert torch.equal(matched(codes, labels)[codes], labels)


def test_turned_latents_keep_their_distances_and_mix_two_factors():
    """The factors of a small grid as codes; with x and y turned, only shape and size are in one latent each."""
    arguments = {"size": 8, "smallest": 0.5, "turn": 90.0, "radius": 0.2, "smooth": False, "val": 0, "test": 1000}
    counts = {"scales": 4, "rotations": 1, "xs": 12, "ys": 12}
    known = themselves(Sprites("sprites", [1, 8, 8], shapes=["square", "ellipse", "heart"], **counts, **arguments))
    assert known.codes.shape == (1000, 4) and (known.codes == known.values).all() and not known.spreads.any()
    codes = turned(known.codes)
    assert pdist(codes[:50]) == pytest.approx(pdist(known.codes[:50]))
    gaps = gap(mig(known.with_codes(codes), 50).matrix)
    assert (gaps[:2] > 1).all() and (gaps[2:] < 0.2).all()


def test_copies_with_quality_is_1_where_the_better_is_the_more_copied():
    better_is_copied = tuple(Outcome(fd, 1 / fd, 0.0) for fd in (10.0, 20.0, 40.0))
    better_is_new = tuple(Outcome(fd, fd / 100, 0.0) for fd in (10.0, 20.0, 40.0))
    assert copies_with_quality(better_is_copied) == pytest.approx(1)
    assert copies_with_quality(better_is_new) == pytest.approx(-1)
    assert copies_with_quality(tuple(Outcome(fd, 0.0, 1.0) for fd in (10.0, 20.0))) == 0


def test_cifar_10_is_the_array_file_where_there_is_one(tmp_path):
    desk = Desk(tmp_path, 1, str(tmp_path), "study", "run", "experiment")
    assert cifar10(desk, "data.source") == ["data@data.source=cifar10"]
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).touch()
    assert cifar10(desk) == ["data=npz", f"data.path='{tmp_path / FILE}'", "data.test=10000"]


# tighter_bounds


def test_the_leading_ratio_is_that_of_integrals():
    """One dimension, two points: moments of the squared weight by quadrature, its derivative by differences."""
    x, mu, a, b, k = np.array([0.7, -0.4]), 0.2, 0.6, 0.1, 50
    delta = a * x + b - (x + mu) / 2

    def moment(d, power):
        weighed = lambda z: norm.pdf(z, 0, 0.5**0.5) ** 2 / norm.pdf(z, d, (2 / 3) ** 0.5) * (2 * z) ** power  # noqa: E731
        return quad(weighed, -8, 8)[0]

    gradient = np.mean([(moment(d + 1e-4, 0) - moment(d - 1e-4, 0)) / 2e-4 for d in delta]) / (2 * k)
    noise = (np.mean([moment(d, 2) for d in delta]) / k / len(x)) ** 0.5
    world = World(
        torch.tensor(x)[:, None], *(torch.tensor([v]) for v in (mu,)), torch.tensor([[a]]), torch.tensor([b]), 0
    )
    assert leading_ratio(world, k) == pytest.approx(abs(gradient) / noise, rel=1e-4)


def test_a_power_law_has_its_exponent_as_slope():
    assert slope({k: 3 * k**-0.5 for k in (4, 8, 16)}) == pytest.approx(-0.5)


def test_the_ratio_by_hand_does_not_count_noise_as_signal():
    # Means 2 and 0, variances 2 and 2: 4 + 0 - 4 / 2 over 4.
    assert signal_to_noise(torch.tensor([[3.0, 1.0], [1.0, -1.0]])) == pytest.approx(0.5**0.5)
    assert signal_to_noise(torch.tensor([[1.0], [-1.0]])) == 0


def test_at_the_optimum_the_ratio_is_small():
    """At the optimum the gradient has the expectation 0, and only noise is left of it."""
    world = World.drawn(3)
    mean = world.x.mean(0)
    exact = World(world.x, mean, torch.eye(20) / 2, mean / 2, 3)
    found = ratios(exact, IWAE, (2,), 24)[2]
    assert found < 0.3 < 1 < ratios(world, IWAE, (2,), 24)[2] < ratios(world, DReG, (2,), 24)[2]


# linear_vae


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(300, 6, generator=generator).double() @ torch.randn(6, 6, generator=generator).double()
    return mixed + torch.arange(6.0)


def test_the_evidence_is_scikit_learns(points):
    pca = PCA(2).fit(points.numpy())
    scale = torch.tensor(pca.explained_variance_ - pca.noise_variance_).sqrt()
    decoder, mean = torch.tensor(pca.components_.T) * scale, torch.tensor(pca.mean_)
    found = evidence(points, decoder, mean, float(pca.noise_variance_))
    np.testing.assert_allclose(found.numpy(), pca.score_samples(points.numpy()))
    ours, correction = ppca(points, 2, None), 300 / 299  # scikit-learn divides by n - 1
    np.testing.assert_allclose(ours.values * correction, pca.explained_variance_)
    assert ours.variance * correction == pytest.approx(pca.noise_variance_)
    np.testing.assert_allclose(((ours.decoder @ ours.decoder.T) * correction), decoder @ decoder.T, atol=1e-9)
    assert ours.evidence(points).mean().item() == pytest.approx(pca.score(points.numpy()), abs=1e-4)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_closed_form_is_a_maximum(points, fixed):
    variance = float(ppca(points, 4, None).values[1:3].mean()) if fixed else None
    best = ppca(points, 4, variance)
    decoder, mean = best.decoder.clone().requires_grad_(), best.mean.clone().requires_grad_()
    log_variance = torch.tensor(math.log(best.variance), dtype=torch.float64, requires_grad=True)
    covariance = decoder @ decoder.T + log_variance.exp() * torch.eye(6)
    total = torch.distributions.MultivariateNormal(mean, covariance).log_prob(points).mean()
    gradients = torch.autograd.grad(total, [decoder, mean, log_variance])
    assert max(float(g.abs().max()) for g in gradients[:2]) < 1e-7
    assert fixed or abs(float(gradients[2])) < 1e-7
    dropped = best.values <= best.variance
    assert int(dropped.sum()) == (2 if fixed else 0) and not best.decoder[:, dropped].any()


def test_terms_without_draws_are_those_of_many_draws(points):
    torch.manual_seed(0)
    common = {"shape": (6,), "latent_dim": 3, "hidden": [], "activation": "ReLU"}
    start = lambda weight: init.glorot_uniform_(weight, gain=0.5)  # noqa: E731
    encoder, decoder = mlp.Encoder(**common, init=start).double(), mlp.Decoder(**common, init=start).double()
    x, k = points[:4], 40_000
    with torch.no_grad():
        q = encoder(x)
        z = q.rsample((k,))
        log_px_z = Gaussian(2.0).log_prob(x, decoder(z.flatten(0, 1)).unflatten(0, (k, 4)), None)
        kl = torch.distributions.kl_divergence(q.base_dist, torch.distributions.Normal(0.0, 1.0))
        terms = ELBO(k, 1.0, 0.0)(Draws(log_px_z, log_px_z, log_px_z, kl, z, q, 4))
        parts = [p for network in (encoder, decoder) for p in (network.output.weight, network.output.bias)]
        ours = LinearVAE(*parts, 4.0)
        assert ours.elbo(x).mean().item() == pytest.approx(terms.elbo.item(), abs=5 * log_px_z.std().item() / k**0.5)
        torch.testing.assert_close(ours.kl(x), kl.mean(0))
        assert (ours.evidence(x) > ours.elbo(x)).all()


def test_with_the_closed_form_in_its_weights_the_elbo_is_the_evidence(points):
    best = ppca(points, 4, 3.0)
    state = {name: value.double() for name, value in best.state().items()}
    ours = LinearVAE(
        *(state[f"{part}.output.{kind}"] for part in ("encoder", "decoder") for kind in ("weight", "bias")), 3.0
    )
    torch.testing.assert_close(ours.elbo(points), best.evidence(points), atol=1e-4, rtol=0)


def test_angles_of_spaces_not_of_bases():
    basis = torch.eye(5, 2).double()
    turned = basis @ torch.tensor([[0.6, -0.8], [0.8, 0.6]]).double() * 3
    assert angle(torch.cat([turned, 0.01 * torch.eye(5).double()[:, 3:]], 1), basis, 2) == pytest.approx(0, abs=1e-6)
    tilted = basis.clone()
    tilted[:, 1] = torch.tensor([0, 0.8, 0.6, 0, 0])
    assert angle(tilted, basis, 2) == pytest.approx(0.6)
    assert isinstance(ppca(torch.randn(20, 3).double(), 1, None), PPCA)


def test_the_evidence_of_a_linear_ladder_bounds_its_bound():
    """The evidence is that of a normal whose covariance is written out group by group."""
    torch.manual_seed(0)
    with torch.no_grad():
        net = ladder._with_constant_variances()
        (w, _), (b, s) = (part.chunk(2) for part in (net.priors[0].output.weight, net.priors[0].output.bias))
        v, c = net.output.weight, net.output.bias
        lower = w @ w.T + torch.diag(torch.nn.functional.softplus(s) + 1e-6)
        covariance = v @ lower @ v.T + ladder.SIGMA**2 * torch.eye(4).double()
        x = torch.randn(5, 4).double()
        exact = torch.distributions.MultivariateNormal(v @ b + c, covariance).log_prob(x)
        torch.testing.assert_close(ladder._evidence(net, x), exact)
    bound, evidence = ladder.linear_ladder(seed=3)
    assert abs(float((bound - evidence).mean())) < 0.05 and float((bound - evidence).abs().max()) > 0
