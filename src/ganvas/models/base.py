"""The base of every model: one optimiser step, schedules, averaged weights and health.

Sampling stands in :mod:`ganvas.models.sampling`. The progress axis is **images seen**, see
:mod:`ganvas.models.resumable`; Lightning's ``global_step`` is not used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ganvas.health.evidence import Evidence, GradientNorms, Logged
from ganvas.models.ema import EMA
from ganvas.models.modes import evaluating
from ganvas.models.parts import common_classes
from ganvas.models.sampling import Samples
from ganvas.models.scheduled import Scheduled
from ganvas.models.schedules import Schedule
from ganvas.types import Batch, LatentDistribution, Packs, ReadsEncoder, Shape

OptimizerFactory = Callable[..., torch.optim.Optimizer]
History = Mapping[str, Float[Tensor, " t"]]
EVIDENCE_SEED = 0
LEARNED_PRIOR = "learned_prior"
"""Name of the prior among the parts of a model, if it is learned."""


class Model(Samples, ABC):
    """Abstract: a step on a batch, and the book-keeping around the step.

    Args:
        prior: distribution of the latents; a module is learned, and a part and an averaged part of the model.
        parts: the networks by name; they become attributes, and the prefixes of the checkpoint's keys.
        averaged: names of the parts that are sampled from, and so averaged.
        ema_halflife: memory of the averaged weights in images; None keeps no average.
        gradient_clip: largest L2 norm of an optimiser's gradient; None clips nothing.
        schedule: of the learning rates.
        schedules: of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through, see :mod:`ganvas.models.accumulation`.

    Raises:
        ValueError: ``accumulate`` is below 1, or networks are conditional on different numbers of classes.
    """

    headline: ClassVar[tuple[str, ...]]
    """The two or three terms to watch."""
    players: ClassVar[tuple[str, ...]]
    """Names of the players; each has one optimiser, in the order of :meth:`configure_optimizers`."""
    labelled: int | None = None
    """Number of training images whose class the model may read; None for all."""
    shown: Bool[Tensor, " n"] | None = None
    """Whether each training image shows its class; None without classes, and before :meth:`learn_of`."""

    def __init__(
        self,
        prior: LatentDistribution | ReadsEncoder,
        parts: dict[str, nn.Module],
        averaged: tuple[str, ...],
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        accumulate: int,
    ) -> None:
        if accumulate < 1:
            raise ValueError(f"accumulate={accumulate}: expected at least 1 part of a batch; write accumulate=1")
        super().__init__()
        self.automatic_optimization = False
        if isinstance(prior, nn.Module):
            parts, averaged = {**parts, LEARNED_PRIOR: prior}, (*averaged, LEARNED_PRIOR)
        else:
            self._prior = cast(LatentDistribution, prior)  # what reads an encoder is a module
        for name, part in parts.items():
            setattr(self, name, part)
        self.parts, self.averaged = tuple(parts), averaged
        self.averages = nn.ModuleDict(
            {name: EMA(parts[name], ema_halflife) for name in averaged} if ema_halflife is not None else {}
        )
        self.gradient_clip = gradient_clip
        self.accumulate = accumulate
        self.scheduled = Scheduled({**schedules, "optimizer": {"lr": schedule, **schedules.get("optimizer", {})}})
        self.n_train = 0
        self.classes = common_classes(parts)
        if self.classes is not None:
            self.register_buffer("label_marginal", torch.full((self.classes,), 1.0 / self.classes))
        self.kept_norms: dict[str, Tensor] = {}  # of latest gradients that are not there any more, by player

    @property
    def prior(self) -> LatentDistribution:
        """Distribution that latents are drawn from; a learned one with averaged weights if they are kept."""
        if LEARNED_PRIOR not in self.parts:
            return self._prior
        with torch.no_grad(), evaluating(self):  # a prior that reads the encoder runs it here
            return self.prior_by(self.part)

    def prior_by(self, network: Callable[[str], Any]) -> Any:
        """Return the distribution of the latents, of the kind that the family of models has.

        Args:
            network: gives the networks by name: :meth:`part` in evaluation, :meth:`trained` in training.
        """
        if LEARNED_PRIOR not in self.parts:
            return self._prior
        prior = network(LEARNED_PRIOR)
        return prior.given(network("encoder")) if isinstance(prior, ReadsEncoder) else prior

    def trained(self, name: str) -> nn.Module:
        """Return the network ``name`` with the weights that are trained."""
        return getattr(self, name)

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Shape of one example."""

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update on one batch, and return the named loss terms, detached."""

    @property
    def period(self) -> int:
        """Number of steps after which they repeat: which players are updated, and which terms their losses have."""
        return 1

    @property
    def irregular(self) -> str:
        """What a step decides by its batch or draws outside of the device's generator; empty for steps that repeat."""
        return ""

    @abstractmethod
    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for each of :attr:`players`, in their order."""

    @abstractmethod
    def bearers(self) -> dict[str, Any]:
        """Numbers that schedules may move, by attribute, as the config states them, without those of optimisers."""

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make the players' optimisers, and check that every schedule has a number to move; Lightning's hook.

        Raises:
            ScheduleError: a schedule names a number that the model does not have.
        """
        made = self.make_optimizers()
        groups = {f"{player}_optimizer": o.param_groups[0] for player, o in zip(self.players, made, strict=True)}
        averages = {"ema_halflife": 1} if len(self.averages) else {}
        self.scheduled.check({"optimizer": made[0].param_groups[0], **groups, **self.bearers(), **averages})
        return made

    def learn_of(
        self, n_train: int, labels: Int64[Tensor, " n"] | None, shown: Int64[Tensor, " k"] | None = None
    ) -> None:
        """Tell the model of its training data, before the first step.

        Args:
            n_train: images in the training split.
            labels: their classes, in ``[0, classes)``; read by conditional models only.
            shown: positions of the :attr:`labelled` images that show their class; None for all.
        """
        self.n_train = n_train
        if self.classes is not None and labels is not None:
            self.shown = torch.full((len(labels),), shown is None)
            if shown is not None:
                self.shown[shown] = True
            if self.labelled is None:  # else too few are known to tell how frequent the classes are
                counts = labels.bincount(minlength=self.classes).to(self.label_marginal)
                self.label_marginal.copy_(counts / counts.sum())

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on one batch; Lightning's hook."""
        self._follow_schedules()
        images = len(batch) * self.trainer.world_size
        self.terms = self.step(batch)
        self.updates += 1
        self.images_seen += images
        for name, average in self._averages():
            average.update(self.trained(name), images, self.images_seen)

    def update(
        self,
        player: str,
        losses: Iterable[Float[Tensor, ""]],
        before_step: Callable[[], None] | None = None,
        skip_above: float | None = None,
    ) -> bool:
        """Step a player's optimiser down the sum of ``losses``, which are differentiated one after the other.

        Args:
            player: one of :attr:`players`.
            losses: of the parts of the batch; a part's graph is freed before the next loss is asked for.
            before_step: called after the gradient is clipped, and may change it.
            skip_above: L2 norm of the gradient before clipping above which the step is left out; None leaves none out.

        Returns:
            Whether the optimiser made its step.
        """
        optimizer = self._optimizer(player)
        optimizer.zero_grad()
        for loss in losses:
            self.manual_backward(loss)
        if skip_above is not None and self._is_above(skip_above, optimizer):
            return False
        if self.gradient_clip is not None:
            # Under 16-mixed the gradients still carry the loss scale: we scale the bound instead of unscaling them.
            bound = self.gradient_clip * self._loss_scale()
            norm = nn.utils.clip_grad_norm_(_parameters(optimizer), bound)
            self.kept_norms[player] = norm / self._loss_scale()
        if before_step is not None:
            before_step()
        optimizer.step()
        return True

    @property
    def skips_updates(self) -> bool:
        """Whether infinite gradients are expected: loss scaling finds its scale by skipping such updates."""
        return getattr(self.trainer.precision_plugin, "scaler", None) is not None

    def gradient_norms(self) -> dict[str, Tensor]:
        """L2 norm of each player's gradient at its latest update, before clipping, by ``<player>/gradient_norm``.

        The norms are computed from the gradients that the update left, and only when this method is called.
        """
        norms = dict(self.kept_norms)
        for player, optimizer in zip(self.players, self.trainer.optimizers, strict=True):
            norm = None if player in norms else _gradient_norm(optimizer)
            if norm is not None:
                norms[player] = norm
        return {**self.earlier_norms, **{f"{player}/gradient_norm": norm for player, norm in norms.items()}}

    def keep_norm(self, player: str) -> None:
        """Note the norm of a player's gradient, before the update of another player with the same weights changes it.

        Args:
            player: one of :attr:`players`, just updated.
        """
        norm = _gradient_norm(self._optimizer(player)) if self.gradient_clip is None else None
        if norm is not None:  # a clipped gradient's norm is kept already
            self.kept_norms[player] = norm

    def evidence(self, train: Batch, held_out: Batch | None, history: History) -> tuple[Evidence, ...]:
        """Show evidence of the model's health; random state, gradients and modes stay as they were.

        Args:
            train: some training examples.
            held_out: examples that the model was not trained on, or None if there are none.
            history: logged values by term, gradient norms among them, oldest first.
        """
        shown: list[Evidence] = [Logged(history)] if history else []
        norms = {player: history.get(f"{player}/gradient_norm") for player in self.players}
        shown += [GradientNorms(player, series) for player, series in norms.items() if series is not None]
        with torch.random.fork_rng(), evaluating(self):
            torch.manual_seed(EVIDENCE_SEED)
            on_device = None if held_out is None else held_out.to(self.device)
            return (*shown, *self.own_evidence(train.to(self.device), on_device, history))

    @abstractmethod
    def own_evidence(self, train: Batch, held_out: Batch | None, history: History) -> tuple[Evidence, ...]:
        """Show the evidence of this family of models; :meth:`evidence` calls it with all modules in evaluation mode."""

    def evaluated(self, name: str) -> nn.Module:
        """Return the network ``name`` with averaged weights, or with its own where no average is kept."""
        averages = dict(self._averages())
        return averages[name].module if name in averages else self.trained(name)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by name, with the weights that are trained."""
        return {name: self.trained(name) for name in self.parts}

    @property
    def pack(self) -> int:
        """Number of examples that the critic scores together; 1 without such a critic."""
        return max(network.pack if isinstance(network, Packs) else 1 for network in self.networks.values())

    def restart_averages(self) -> None:
        """Restart the averages from the present weights, after something other than training has set the weights."""
        for name, average in self._averages():
            average.module.load_state_dict(self.trained(name).state_dict())

    @property
    def weights(self) -> str:
        """Name of the weights that :meth:`sample` uses: ``"ema"`` or ``"raw"``."""
        return "ema" if len(self.averages) else "raw"

    def _optimizer(self, player: str) -> torch.optim.Optimizer:
        optimizers: Any = self.optimizers()
        return (optimizers if isinstance(optimizers, list) else [optimizers])[self.players.index(player)]

    def _averages(self) -> Iterator[tuple[str, EMA]]:
        return ((name, average) for name, average in self.averages.items() if isinstance(average, EMA))

    def _follow_schedules(self) -> None:
        seen, moved = self.images_seen, self.scheduled
        for player, optimizer in zip(self.players, self.trainer.optimizers, strict=True):
            moved.move_groups("optimizer", optimizer.param_groups, seen)
            moved.move_groups(f"{player}_optimizer", optimizer.param_groups, seen)
        for name, base in self.bearers().items():
            setattr(self, name, moved.moved(name, base, seen))
        for _, average in self._averages():
            average.halflife = moved.moved("ema_halflife", average.base_halflife, seen)

    def _is_above(self, bound: float, optimizer: torch.optim.Optimizer) -> bool:
        """Whether the gradient is longer than a bound, or no number; loss scaling itself skips infinite gradients."""
        norm = _gradient_norm(optimizer)
        if norm is None or (self.skips_updates and not norm.isfinite()):
            return False
        return bool(~(norm <= bound * self._loss_scale()))

    def _loss_scale(self) -> float:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return scaler.get_scale() if scaler is not None else 1.0


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor | None:
    """L2 norm of the gradient that the latest update left; None before the first."""
    gradients = [p.grad for p in _parameters(optimizer) if p.grad is not None]
    if not gradients:
        return None
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
