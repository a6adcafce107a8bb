"""Texts that PostgreSQL refuses come back as they were, and others are stored as they are."""

from hypothesis import example, given
from hypothesis import strategies as st

from agentsym.store.unstorable import MARK, restored, storable

ANY = st.text(st.characters(codec=None, categories=("L", "P", "C", "S", "Z"))) | st.text(
    st.sampled_from(["\0", MARK, "\ud83d", "0", "f", "d", "é", "😀"])
)


@given(ANY)
@example(f"{MARK}0000")
@example("\0\ud800\udfff" + MARK)
def test_every_text_comes_back(text: str) -> None:
    stored = storable(text)
    assert b"\0" not in stored
    assert restored(stored.decode()) == text


@given(st.text(st.characters(exclude_characters=["\0", MARK], exclude_categories=["Cs"])))
def test_a_text_that_can_be_stored_is_stored_as_it_is(text: str) -> None:
    assert storable(text).decode() == text
