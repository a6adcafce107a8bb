"""Whatever is not markup of ours is escaped."""

import pytest

from agentsym.learning.report.markup import Html, el, join, text


@pytest.mark.parametrize("evil", ["<b>", "a & b", '"><script>', "'"])
def test_texts_and_attributes_are_escaped(evil: str) -> None:
    made = el("p", evil, [evil], title=evil)
    assert "<b>" not in made and "<script>" not in made and made.count("<") == 2
    assert text(evil) in made


def test_markup_is_kept_and_nothing_is_left_out() -> None:
    assert join(el("b", "x"), None, 3) == "<b>x</b>3"
    assert el("details", Html("<i></i>"), open=True, class_=None) == "<details open><i></i></details>"


def test_characters_that_nobody_can_see_are_shown_as_such() -> None:
    assert text("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert text("line\n\tnext") == "line\n\tnext"
