"""Folders of files in a cache: filled once, whole or absent, filled again where they are damaged."""

import pytest

from ganvas.storage.kept_folder import kept_folder


def use(folder, calls, content="abc"):
    def fill(place):
        calls.append(place)
        (place / "values").write_text(content)

    with kept_folder(folder, fill) as found:
        return None if found is None else (found / "values").read_text()


def test_the_second_use_reads(tmp_path):
    calls = []
    assert [use(tmp_path / "cache" / "a", calls) for _ in range(2)] == ["abc", "abc"] and len(calls) == 1


@pytest.mark.parametrize("damage", ["ab", "abd", None])
def test_a_damaged_folder_is_filled_again(tmp_path, damage):
    calls, folder = [], tmp_path / "a"
    use(folder, calls)
    (folder / "values").unlink() if damage is None else (folder / "values").write_text(damage)
    with pytest.warns(UserWarning, match="cache folder a is damaged; computing its content again"):
        assert use(folder, calls) == "abc"
    assert len(calls) == 2 and use(folder, calls) == "abc" and len(calls) == 2


def test_a_failure_leaves_nothing(tmp_path):
    def fill(place):
        (place / "values").write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"), kept_folder(tmp_path / "a", fill):
        pass
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_cache_that_cannot_be_written_gives_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="cannot be written"):
        assert use(tmp_path / "file" / "a", []) is None
