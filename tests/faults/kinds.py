"""Eight kinds of runs, each of about a second."""

SMALL = [
    "network=mlp",
    "budget.images=320",
    "batch_size=32",
    "log.every=32",
    "checkpoint.every=64",
    "score.every=128",
    "grid.every=128",
    "grid.rows=1",
    "grid.columns=2",
    "score.n=40",
    "score.n_during=40",
    "score.settings.is_splits=2",
    "paths.cache=cache",
    "paths.output=out",
    "tracking.system_metrics=false",
]
KINDS = {
    "gan": ["model=gan"],
    "wgan": ["model=wgan", "model.n_critic=2"],
    "wgan_gp": ["model=wgan_gp", "model.n_critic=3"],
    "sngan": ["model=sngan"],
    "dragan": ["model=dragan"],
    "pacgan": ["model=pacgan"],
    "vae": ["model=vae"],
    "iwae": ["model=iwae"],
}


def line(kind):
    """Arguments of a training."""
    return ["train", *KINDS[kind], *SMALL]
