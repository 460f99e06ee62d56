"""How a run ended, in one word: what a sweep counts and a report lists."""

from __future__ import annotations

from ganvas.tracking.signals import is_interruption

FINISHED, NAN, ERROR, PRUNED, INTERRUPTED = "finished", "nan", "error", "pruned", "interrupted"


class NonFiniteError(RuntimeError):
    """A loss term is NaN or infinite.

    Args:
        term: its name.
        value: what it is.
        images_seen: when it was found.
    """

    def __init__(self, term: str, value: float, images_seen: int) -> None:
        super().__init__(
            f"the loss term {term!r} is {value} after {images_seen:,} images."
            " Try a lower learning rate, gradient_clip=1, or trainer.precision=32-true."
        )
        self.term, self.value, self.images_seen = term, value, images_seen


class Pruned(Exception):
    """A sweep stopped the run early: the configuration will not be among the best.

    Args:
        reason: which rule, and on what.
    """


def outcome(error: BaseException | None) -> str:
    """The word for what ended a run.

    Args:
        error: the exception; None for a run that came to its end.
    """
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return FINISHED
    if is_interruption(error):
        return INTERRUPTED
    kinds = {NonFiniteError: NAN, Pruned: PRUNED}
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), ERROR)
