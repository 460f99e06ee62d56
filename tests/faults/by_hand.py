"""The cases that people tried by hand before there was a grammar."""
# ruff: noqa: E501 (tables of cases)

from __future__ import annotations

_TRAIN = r"""
seed=-1 | seed=4294967296 | seed=abc | seed=1.5 | score.seed=-1 | batch_size=0 | batch_size=-3 | batch_size=100000 | budget.images=0
budget.images=-5 | workers=-1 | workers=abc | model=1.5 | model=3 | data=3.0 | model=null | network=true | objective=7 | constraint=[none]
optimizer={} | network.generator=3 | network.critic=3 | network.generator=null | prior.dim=0 | prior.dim=abc | prior=3 | prior.dim=-1
optimizer.lr=abc | optimizer.lr=-1 | optimizer.lr=null | optimizer.betas=3 | optimizer.betas=[0.9] | ema_halflife=-1 | ema_halflife=0
ema_halflife=abc | gradient_clip=-1 | gradient_clip=abc | log.every=0 | grid.every=0 | grid.rows=0 | checkpoint.every=0
checkpoint.every=-1 | score.n=0 | score.n=1 | score.n=-4 | score.n=12 score.settings.is_splits=10 | score.select=7
score.settings.is_splits=0 | score.settings.foo=1 | trainer.accelerator=tpu2 | trainer.devices=0 | trainer.precision=3
+trainer.gradient_clip_val=0.5 | +trainer.accumulate_grad_batches=2 | +trainer.max_steps=3 | +trainer.foo=3 | extractor=3
extractor.module=my.Net | extractor=custom extractor.module=my.Net
extractor=custom extractor.module=my.Net extractor.name=x extractor.size=8 extractor.channels=1 | network.generator._target_=my.Net
network.generator._target_=ganvas.networks.mlp.Nope | network.generator._target_=3 | model._target_=os.getcwd | study=.. | study=a/b
study= | study='it' | init_from=nowhere | init_parts=3 | init_parts=[foo] | resume=nowhere | marginal_bias=foo | data=npz data.path=nowhere
data=folder data.path=nowhere data.size=8 | data=folder data.path=. data.size=0 | data.val=-1 | data.val=9999999 | data.test=-1
paths.output=/proc/x | paths.output=/dev/null/x | paths.cache=/proc/x | paths.output='' | paths.data=/proc/x data=mnist
tracking.experiment='' | tracking.run_id=abc | tracking.parent=abc | schedule=3 | schedules.foo=3 | schedule.images=abc | objective.foo=3
likelihood=3 | transform=3 | constraint.weight=abc | constraint=gradient_penalty constraint.weight=-1 | model=vae network=mlp prior=uniform
model.n_critic=0 | model.n_critic=abc | hydra.run.dir=/proc/y | a=b=c | =3 | + | ~model | ~seed | seed= | --foo | experiment=nope
sweep=nope | data=ring network=dcgan | network=dcgan data=npz data.path=/etc/passwd | model=[gan] | model=gan,vae | seed=1,2
data.shape=3 | data.shape=[1] | data.shape=[1,28] | score=3 | budget=3 | trainer=3 | paths=3 | log=3
"""
_OTHERS = r"""
score abc | score /etc/passwd | score /nonexistent.npz | score abc metrics=[foo] | score abc metrics=[] | score abc n=-1 | score abc seed=-1
score abc device=foo | score . extractor=mnist | score abc extractor=foo | score abc reference=nope | score abc ceiling=foo
score abc settings.foo=3 | score abc batch_size=0 | score abc data.foo=3 | sample abc | sample abc -n abc | sample abc -n -1
sample abc --seed -1 | sample abc --kind foo | sample /etc/passwd | sample abc columns=0 | sample abc --seed 99999999999999999999999
sample abc device=foo | report abc | report abc direction=foo | report abc shown=0 | report abc score=foo | report a'b | report a${b}
report | rerun abc | rerun | rerun abc foo=3 | reproduce abc | reproduce --scale foo | reproduce iwae_table1 --scale foo
reproduce iwae_table1 seed=-1 | ui --host= | ui --port 99999 | ui --port -1 | ui --port abc | ui --foo | foo
sync nowhere | sync --foo | sync /etc/passwd
sample @GAN@ -n | sample @GAN@ --seed | reproduce --scale | score | sample | rerun @NONE@ | score @NONE@ | --foo | TRAIN | train- | ''
"""
_SWEEPS = """
seed=1,2 study=.. | seed=-1,2 study=x | hydra.sweeper.sampler=foo | hydra.sweeper.sampler=tpe
hydra.sweeper.sampler=random hydra.sweeper.n_trials=1 hydra.sweeper.sampler_seed=-1 optimizer.lr=interval(0,1)
"""
_ACCEPTED = (
    "study='it'",
    "paths.cache=/proc/x",
    "tracking.parent=abc",
    "extractor.module=my.Net",
    "reproduce --scale foo",
)
_MORE_ACCEPTED = (
    "constraint=[none]",
    "score.select=7",
    "seed=1,2",
    "model=vae network=mlp prior=uniform",
    "+trainer.max_steps=3",
    "paths.output=''",
)


def _lines(text):
    return [line.strip().split(" ") for row in text.strip().splitlines() for line in row.split(" | ")]


def BY_HAND():
    """All cases; those of ``train`` follow the arguments of a tiny training."""
    from .grammar import ANY, BAD, TRAIN, Case, fitting, override

    for given in _lines(_TRAIN):
        expect = ANY if " ".join(given) in (*_ACCEPTED, *_MORE_ACCEPTED, "optimizer={}", "network=dcgan") else BAD
        expect = ANY if given[0].startswith(("~", "score.n=1", "ema_halflife=0", "optimizer.betas")) else expect
        yield override("by_hand", ["train"], fitting(given), *given, expect=expect)
    for given in _lines(_OTHERS):
        known = [
            word for argument in given for word in (argument, argument.partition("=")[0].split(".")[-1].lstrip("-"))
        ]
        place = {"score": "SOURCE", "sample": "SOURCE", "rerun": "RUN_ID", "report": "STUDY"}.get(given[0], given[0])
        names = tuple(word for word in [*known[2:], place, repr(given[0]) if len(given) == 1 else place] if word)
        names += ("m/mixed/torn.png",) if "." in given else ()
        expect = ANY if " ".join(given) in _ACCEPTED else BAD
        yield Case("by_hand", tuple(given), tuple(given), names, expect)
    for given in _lines(_SWEEPS):
        yield override("by_hand", ["train", "-m"], TRAIN, *given, expect=BAD if "-1,2" not in given[0] else ANY)
