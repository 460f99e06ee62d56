"""The note and the gallery of a run."""

import base64
import re

from PIL import Image

from ganvas.run.gallery import gallery
from ganvas.run.note import note, sentence

KEY = "score/mnist/fd"
RESULT = {
    "images_seen": 1000,
    "scores": {KEY: {"value": 12.345, "interval": (12.0, 13.0)}},
    "best": {"images_seen": 800, "scores": {"best/mnist/fd": {"value": 11.0, "interval": None}}},
    "findings": {
        "critic_gap": {"state": "ok", "value": 0.0, "reason": "fine"},
        "class_coverage": {"state": "warn", "value": 1.0, "reason": "1 of 10 classes"},
    },
    "protocols": {
        KEY: {"fingerprint": "abc", "conditions": {"split": "test", "n_fake": 50}, "recorded": {"reference": "digits"}}
    },
}


def test_a_sentence_has_score_best_checkpoint_and_warnings():
    said = sentence(RESULT, KEY)
    assert said == (
        "mnist/fd 12.35 ± 0.5 after 1,000 images; the best checkpoint has 11 at 800. Warnings: class_coverage."
    )
    last = {**RESULT, "best": {**RESULT["best"], "images_seen": 1000}, "findings": {}}
    assert sentence(last, KEY) == "mnist/fd 12.35 ± 0.5 after 1,000 images. No check warns."
    assert sentence({**last, "scores": {}}, None) == "Trained on 1,000 images, not scored. No check warns."


def test_a_note_has_reasons_protocol_and_a_link():
    text = note(RESULT, KEY, "p1")
    assert "- class_coverage: 1 of 10 classes" in text and "critic_gap" not in text
    assert "`abc`: reference digits, split test, n_fake 50." in text and "(#/runs/p1)" in text
    assert "#/runs" not in note(RESULT, KEY, None)


def test_a_gallery_holds_all_pictures_in_order_and_escapes_names(tmp_path):
    (tmp_path / "grids").mkdir()
    for name, shade in (("samples-000000000000", 0), ("samples-000000001000", 200), ("row-000000000000", 90)):
        Image.new("L", (8, 8), shade).save(tmp_path / "grids" / f"{name}.webp", lossless=True)
    page = gallery(tmp_path, "<b>", "a & b")
    shown = [base64.b64decode(x) for x in re.findall(r"base64,([^\"]+)", page)]
    assert shown == [(tmp_path / "grids" / f"samples-{step:012d}.webp").read_bytes() for step in (0, 1000)]
    assert "1,000 images" in page and "<b>" not in page and "a &amp; b" in page and "row" not in page
