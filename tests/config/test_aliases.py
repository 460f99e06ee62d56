import pytest
import yaml

from ganvas.cli import main
from ganvas.config.aliases import expanded

BOMB = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize("text", ["3", "[]", "a: {b: [1, 2]}", "a: &x [1, 2]\nb: *x\nc: [*x, *x]"])
def test_the_count_is_that_of_the_text_with_its_aliases_written_out(text):
    def count(value):
        children = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
        return 1 + sum(map(count, children))

    assert expanded(yaml.compose(text), {}) == count(yaml.safe_load(text))


def test_an_alias_inside_its_own_anchor_has_no_count():
    with pytest.raises(ValueError, match="own anchor"):
        expanded(yaml.compose("a: &a [*a]"), {})


def test_a_few_lines_that_stand_for_too_many_values_are_refused_by_their_file(tmp_path, capfd):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "bomb.yaml").write_text(BOMB)
    (tmp_path / "experiment" / "torn.yaml").write_text("a: [*")
    assert main(["train", f"--config-dir={tmp_path}", "experiment=bomb", "--cfg", "job"]) == 2
    said = capfd.readouterr().err
    assert "bomb.yaml: its aliases expand to 1,270,483 values" in said and said.count("\n") == 1
