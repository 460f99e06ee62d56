"""The promises of each kind of part, as checks to call from one's own tests; a broken promise is an AssertionError.

ganvas's own contract suites ask more of the shipped parts; these are what every part must keep to be used.
"""

from ganvas.testing.checks import (
    check_adversarial,
    check_constraint,
    check_critic,
    check_generator,
    check_prior,
    check_source,
)

__all__ = [
    "check_adversarial",
    "check_constraint",
    "check_critic",
    "check_generator",
    "check_prior",
    "check_source",
]
