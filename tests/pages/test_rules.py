"""The rule builder: conditions put together, said in words, tried, saved, and used by a bot."""

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import FakeEngine, open_page, words


def sentence_words(app: AppTest) -> str:
    """What a page shows, without the marks that keep Markdown from reading it as such."""
    return words(app).replace("\\", "")


def keys(app: AppTest, ending: str) -> list[str]:
    """The keys of the page's widgets that end so, in their order."""
    widgets = (*app.selectbox, *app.text_input, *app.number_input)
    return [str(one.key) for one in widgets if str(one.key).endswith(ending)]


def test_the_example_is_said_in_words_and_tried_on_candles(fake_engine: FakeEngine) -> None:
    text = sentence_words(open_page("rules"))
    assert "Enter long when RSI(14) < 40 and close > SMA(200)." in text
    assert "Exit long when RSI(14) > 65." in text
    assert "On 500 candles:" in text
