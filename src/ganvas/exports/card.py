"""The model card: README.md with the front matter of the Hugging Face hub.

It states what is known and says what is not: data, training, scores with protocol, floor and ceiling, intended use,
limits, and energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from omegaconf import DictConfig, OmegaConf

from ganvas.display import plus_minus
from ganvas.exports.graphs import Graph
from ganvas.exports.record import Record
from ganvas.metrics.registry import lower_is_better
from ganvas.scoring.subjects import ModelSubject

CARD: Final = "README.md"
_TASK: Final = "unconditional-image-generation"
_BETTER: Final = {True: "lower", False: "higher", None: ""}
_PARTS: Final = ("prior", "quantiser", "objective", "constraint", "likelihood", "optimizer", "schedule")
_COSTS: Final = {
    "cost/cpu_hours": "{:.3g} processor hours",
    "cost/gpu_hours": "{:.3g} GPU hours",
    "cost/energy_kwh": "{:.3g} kWh (codecarbon's estimate for the whole machine)",
}


def card(subject: ModelSubject, record: Record, graphs: Iterable[Graph], license: str | None) -> str:
    """Write the model card.

    Args:
        subject: the model, with its config.
        record: scores, findings and costs.
        graphs: what became of the graphs.
        license: identifier of a licence, as the hub lists them; None states none.
    """
    config = subject.config
    assert config is not None
    name = record.name or f"{_class(config.model)} on {config.data.name}"
    head = yaml.safe_dump(_front_matter(subject, record, name, license), sort_keys=False, allow_unicode=True)
    environment = Environment(loader=PackageLoader("ganvas.exports", ""), undefined=StrictUndefined)
    body = environment.get_template("card.md.jinja").render(
        name=name,
        family=_class(config.model),
        what="images" if len(subject.shape) == 3 else "points",
        data=config.data,
        images_seen=subject.images_seen,
        graphs=list(graphs),
        conditional=subject.model.classes is not None,
        classes=subject.model.classes,
        shape=" x ".join(map(str, subject.shape)),
        splits=subject.origin.get("data", {}),
        parts=_training(subject, config),
        weights="averaged (EMA)" if subject.weights == "ema" else "final",
        scores=[_row(key, record) for key in record.scores],
        over=record.uncertainty,
        calibrated=bool(record.floor or record.ceiling),
        stand_ins=record.stand_ins,
        protocols=_protocols(record),
        memorisation=_memorisation(record),
        privacy=_privacy(record),
        warnings=[str(f["reason"]) for n, f in record.findings.items() if f["state"] == "warn" and n != "privacy"],
        energy=_energy(record.costs),
    )
    return f"---\n{head}---\n{body}"


def _front_matter(subject: ModelSubject, record: Record, name: str, license: str | None) -> dict[str, Any]:
    config = subject.config
    assert config is not None
    data = str(config.data.name)
    metrics = [
        {"type": key.rpartition("/")[2], "name": key, "value": score["value"]} for key, score in record.scores.items()
    ]
    # The hub has no task for points, nor for images of a class.
    is_task = len(subject.shape) == 3 and subject.model.classes is None
    task = {"type": _TASK if is_task else "other"}
    results = [{"task": task, "dataset": {"name": data, "type": data}, "metrics": metrics}] if metrics else []
    head: dict[str, Any] = {"library_name": "ganvas", "tags": ["ganvas", _class(config.model).lower(), data]}
    head |= {"license": license} if license else {}
    head |= {"pipeline_tag": _TASK} if is_task else {}
    return head | ({"model-index": [{"name": name, "results": results}]} if results else {})


def _training(subject: ModelSubject, config: DictConfig) -> dict[str, str]:
    parts = {"model": _choice(config.model)}
    parts |= {part: _choice(config.model[part]) for part in _PARTS if config.model.get(part) is not None}
    for name, network in subject.model.networks.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        parts[name] = f"{type(network).__module__.rpartition('.')[2]}.{type(network).__name__}, {count:,} parameters"
    numbers = ("batch_size", "seed", "ema_halflife")
    return parts | {number.replace("_", " "): str(config.get(number)) for number in numbers}


def _choice(node: DictConfig) -> str:
    """Write a part of the config: its class, and its own numbers."""
    values: dict[str, Any] = OmegaConf.to_container(node)  # type: ignore[assignment]
    own = {k: v for k, v in values.items() if isinstance(v, (int, float, str)) and not k.startswith("_")}
    said = ", ".join(f"{key} {value}" for key, value in own.items())
    return f"{_class(node)} ({said})" if said else _class(node)


def _class(node: DictConfig) -> str:
    return str(node.get("_target_", "none")).rpartition(".")[2]


def _row(key: str, record: Record) -> dict[str, str]:
    return {
        "key": key,
        "value": plus_minus(record.scores[key]),
        "floor": _number(record.floor.get(key)),
        "ceiling": _number(record.ceiling.get(key)),
        "better": _BETTER[lower_is_better(key)],
        "protocol": record.fingerprints.get(key, ""),
    }


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _protocols(record: Record) -> dict[str, str]:
    """Write out the conditions of each protocol, those that are empty left out."""
    found = {protocol["fingerprint"]: protocol["conditions"] for protocol in record.protocols.values()}
    return {digits: ", ".join(f"{k} {v}" for k, v in of.items() if v not in ({}, None)) for digits, of in found.items()}


def _memorisation(record: Record) -> str:
    close = [(key, score["value"]) for key, score in record.scores.items() if key.endswith("/memorisation_close")]
    if not close:
        return "Whether it repeats training images was not audited; `ganvas score RUN metrics=[memorisation]` does."
    key, value = close[0]
    return (
        f"Memorisation audit: {value:.2%} of the samples are as close to a training image as the closest held-out "
        f"images are; of held-out images {_number(record.floor.get(key))} (a share)."
    )


def _privacy(record: Record) -> str:
    found = record.findings.get("privacy")
    return "The training was not differentially private." if found is None else f"Privacy: {found['reason']}"


def _energy(costs: Mapping[str, float]) -> str:
    known = [said.format(costs[key]) for key, said in _COSTS.items() if key in costs]
    lacking = "" if "cost/energy_kwh" in costs else " The energy was not measured: codecarbon was not installed."
    return f"The training took {', '.join(known)}.{lacking}" if known else "The cost of the training is not recorded."
