"""The prose that every Python has: sentences, none twice, the same every time."""

import d2l_lstm as d2l
import pytest
from d2l_lstm import prose


@pytest.mark.parametrize(
    ("paragraph", "verdict"),
    [
        ("This function returns the number of bytes that were read.", True),
        (
            "   Note: what is\n   indented a little, is prose as well, says\n   this.",
            True,
        ),
        ("Four reasons why a list of items begins here follow:", True),
        ("Too short to be prose.", False),
        ("this one does not begin as a sentence would, it seems.", False),
        ("This one does not end as a sentence, we can see", False),
        ("        Indented so far it is an example, and not prose at all.", False),
        ("Type this, please, and see what will come out: >>> 1 + 1.", False),
        ('if_stmt ::= "if" assignment_expression ":" suite and so on.', False),
        (
            "A title with a ruled line\n-------------------------\nand then a text.",
            False,
        ),
    ],
)
def test_prose_is_made_of_sentences(paragraph, verdict):
    assert prose.is_prose(paragraph) == verdict


def test_what_shares_eight_words_with_an_earlier_paragraph_is_left_out():
    first = "One two three four five six seven eight nine."
    other = "Two, three, four; five six\nSEVEN eight nine ten."
    near = "Three four five six seven eight nine ten."  # of `other`, which is not kept
    assert list(prose.said_once([first, other, near, "Short.", "short"])) == [
        first, near, "Short.",
    ]  # fmt: skip
    assert list(prose.said_once([first, other], length=9)) == [first, other]


def test_docstrings_come_in_the_order_of_the_module(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        '"""Module."""\nclass A:\n    """Class."""\n    def f(self):\n'
        '        """Method."""\n        "no docstring"\n'
        'async def g():\n    """Last."""\n'
    )
    assert prose._docstrings(path).split() == ["Module.", "Class.", "Method.", "Last."]
    path.write_text("def broken(:")
    assert prose._docstrings(path) == ""


def test_an_invalid_escape_in_somebody_elses_module_is_no_warning(tmp_path, recwarn):
    path = tmp_path / "a.py"
    path.write_text(r'"""One \d."""')
    assert prose._docstrings(path) == r"One \d."
    assert not recwarn


@pytest.fixture(scope="module")
def text():
    return d2l.normalize_text(prose.standard_library_prose(60_000), join=" ")


def test_there_is_as_much_as_was_asked_for(text):
    assert 60_000 <= len(text) < 65_000


def test_shorter_prose_is_the_beginning_of_the_longer(text):
    short = d2l.normalize_text(prose.standard_library_prose(20_000), join=" ")
    assert text.startswith(short)


def test_most_of_it_is_english(text):
    assert d2l.real_word_share(text) > 0.85


def test_the_second_half_is_not_copied_from_the_first(text):
    half = len(text) // 2
    assert d2l.copied(text[half:], text[:half], 60).mean() < 0.01
