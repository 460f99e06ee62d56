"""The outcome of a run in one word, which sweeps count and reports list."""

from __future__ import annotations

import re
from typing import Final

from ganvas.tracking import limits
from ganvas.tracking.signals import is_interruption

FAILURE_FILE = "failure.txt"
FINISHED, NAN, ERROR, PRUNED, INTERRUPTED = "finished", "nan", "error", "pruned", "interrupted"
_REMARK: Final = re.compile(r"\(raised as a result of [^)]*\)\s*")


class NonFiniteError(RuntimeError):
    """A loss term or a weight is NaN or infinite.

    Args:
        what: kind and name of it, for example ``loss term 'total'``.
        value: NaN or an infinity.
        images_seen: images that the model had seen when the value was found.
    """

    def __init__(self, what: str, value: float, images_seen: int) -> None:
        super().__init__(
            f"the {what} is {value} after {images_seen:,} images."
            " Try a lower learning rate, gradient_clip=1, or trainer.precision=32-true."
        )
        self.what, self.value, self.images_seen = what, value, images_seen


class Pruned(Exception):
    """A sweep stopped the run early, because its configuration will not be among the best.

    Args:
        reason: the rule, and the values that it judged.
    """


def outcome(error: BaseException | None) -> str:
    """Give the word for the end of a run.

    Args:
        error: the exception that ended the run; None if it finished.
    """
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return FINISHED
    if is_interruption(error):
        return INTERRUPTED
    kinds = {NonFiniteError: NAN, Pruned: PRUNED}
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), ERROR)


def status(error: BaseException | None) -> str:
    """Give MLflow's status for the end of a run.

    Args:
        error: the exception that ended the run; None if it finished.
    """
    statuses = {FINISHED: "FINISHED", INTERRUPTED: "KILLED", PRUNED: "KILLED"}
    return statuses.get(outcome(error), "FAILED")


def reason(error: BaseException) -> str:
    """Return the line of an error's message that says why.

    Args:
        error: any exception; SQLAlchemy's put a remark about themselves before it.
    """
    lines = _REMARK.sub("", str(error)).strip().splitlines()
    return (lines or [type(error).__name__])[0][:400]


def one_line(error: BaseException) -> str:
    """Name an error and its reason in one line.

    Args:
        error: any exception.
    """
    message = " ".join(_REMARK.sub("", str(error)).split())
    return limits.shortened(f"{type(error).__name__}: {message}", 1000, FAILURE_FILE)
