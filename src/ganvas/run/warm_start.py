"""Warm start: load the weights of whole parts (generator, critic, encoder, decoder) from another run's checkpoint.

Inside a part everything must fit: every key, every shape. Nothing is loaded before everything asked for was checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

SPECTRAL = "parametrizations"


def load_parts(
    modules: Mapping[str, nn.Module], state: Mapping[str, Tensor], parts: Sequence[str] | None
) -> tuple[str, ...]:
    """Load the named parts of a Lightning module's ``state_dict``.

    Args:
        modules: parts of the new model by name.
        state: of the old model; keys start with ``<part>.``.
        parts: to load; ``None`` takes all that both sides have.

    Returns:
        Names of the parts that were loaded.

    Raises:
        ValueError: a part that one side lacks, or one whose keys or shapes differ.
    """
    names = _shared(modules, state) if parts is None else tuple(parts)
    stored = {name: _part(modules, state, name) for name in names}
    for name, weights in stored.items():
        _check(name, modules[name].state_dict(), weights)
    for name, weights in stored.items():
        modules[name].load_state_dict(weights)
    return names


def _names(state: Mapping[str, Tensor]) -> list[str]:
    return sorted({key.partition(".")[0] for key in state if "." in key})


def _shared(modules: Mapping[str, nn.Module], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    stored = _names(state)
    shared = tuple(name for name in modules if name in stored)
    if not shared:
        raise ValueError(
            f"warm start: the checkpoint has the parts {stored}, the model has {sorted(modules)}: none in common. "
            "Fix: start from a run of the same family (GAN and WGAN, or VAE)."
        )
    return shared


def _part(modules: Mapping[str, nn.Module], state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    stored = _names(state)
    if name not in modules or name not in stored:
        both = sorted(set(modules).intersection(stored))
        raise ValueError(
            f"warm start: part '{name}' is missing; the checkpoint has {stored}, the model has {sorted(modules)}. "
            f"Fix: choose from {both}."
        )
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _check(name: str, wanted: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Refuse a part whose keys or shapes differ from the model's."""
    if wanted.keys() != stored.keys():
        _refuse_keys(name, sorted(wanted.keys() - stored.keys()), sorted(stored.keys() - wanted.keys()))
    for key, value in wanted.items():
        if value.shape != stored[key].shape:
            raise ValueError(
                f"warm start: part '{name}', key '{key}': the checkpoint has shape {tuple(stored[key].shape)}, the "
                f"model {tuple(value.shape)}. Fix: use the network, data shape and prior.dim of the checkpoint, or "
                f"leave the part '{name}' out."
            )


def _refuse_keys(name: str, missing: list[str], surplus: list[str]) -> None:
    if any(SPECTRAL in key for key in missing) != any(SPECTRAL in key for key in surplus):
        fix = "one side has spectral normalisation and the other has not: use it on both"
    else:
        fix = "use the network (and packing) of the checkpoint"
    raise ValueError(
        f"warm start: part '{name}' differs: the checkpoint lacks {_few(missing)} and has {_few(surplus)} in surplus. "
        f"Fix: {fix}, or leave the part '{name}' out."
    )


def _few(keys: list[str], limit: int = 3) -> str:
    if not keys:
        return "nothing"
    more = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(f"'{key}'" for key in keys[:limit]) + more
