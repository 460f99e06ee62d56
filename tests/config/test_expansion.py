import pytest

from ganvas.cli import main
from ganvas.config.expansion import expanded

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 1), ("a: 1", 3), ("[1, 2, [3]]", 5), ("a: &a [1, 2]\nb: *a\nc: [*a, *a]", 17)],
)
def test_an_alias_counts_as_often_as_it_stands_there(text, count):
    assert expanded(text) == count


def test_a_node_inside_itself_and_a_bomb():
    assert expanded("a: &a [1, *a]") < 10
    assert expanded(BOMB) > 9**20


def test_a_config_dir_with_a_bomb_is_refused(store, capsys):
    (store / "conf" / "experiment").mkdir(parents=True)
    (store / "conf" / "experiment" / "b.yaml").write_text(BOMB)
    assert main(["train", "--config-dir=conf", "experiment=b"]) == 2
    assert "conf/experiment/b.yaml: more than 100,000 values" in capsys.readouterr().err
