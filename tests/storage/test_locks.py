import errno
import fcntl
import os
import stat
import warnings
from pathlib import Path

import pytest
from filelock import Timeout

from ganvas.cli import main
from ganvas.storage.locks import locked

from ..tiny import NARROW, TINY

WITHOUT_LOCKS = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP]


@pytest.fixture
def answer(monkeypatch):
    """Lets the file system answer a lock with an error."""

    def set_error(number):
        def flock(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    return set_error


def test_one_holds_it_at_a_time_and_all_users_may(tmp_path):
    path = tmp_path / "lock"
    before = os.umask(0o077)
    try:
        with locked(path, 0), pytest.raises(Timeout), locked(path, 0):
            pass
        with locked(path, 0):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_the_work_goes_on_with_a_warning(tmp_path, answer, number):
    answer(number)
    with pytest.warns(UserWarning, match=f"file system of {tmp_path} has no locks"), locked(tmp_path / "lock", 0):
        pass


def test_another_error_is_one(tmp_path, answer):
    answer(errno.EIO)
    with pytest.raises(OSError, match="Input/output error"), locked(tmp_path / "lock", 0):
        pass


def test_a_place_that_takes_no_file_is_an_error_at_once():
    with pytest.raises(OSError, match="No such file"), locked(Path("/proc/x.lock"), 600):
        pass


@pytest.mark.parametrize(
    "number", [WITHOUT_LOCKS[0], *(pytest.param(n, marks=pytest.mark.slow) for n in WITHOUT_LOCKS[1:])]
)
def test_a_training_and_a_score_on_a_file_system_without_locks(store, answer, number):
    answer(number)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert main(["train", *TINY, *NARROW, "score.every=null", "paths.output=out"]) == 0
        assert main(["score", "out/last.ckpt", "metrics=[fd]", "n=40", "calibration=false", "paths.cache=cache"]) == 0
    assert list((store / "cache").glob("*.safetensors"))
    said = {str(one.message) for one in caught}
    expected = "flock not supported" if number == errno.ENOSYS else "has no locks"
    assert any(expected in text for text in said)
