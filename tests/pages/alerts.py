"""What the tests of the Alerts page do and read."""

from streamlit.testing.v1 import AppTest

from engine.errors import StoreError
from tests.pages.conftest import open_page, words

VIEWS = ("Channels", "Matrix", "Log", "History", "Price alerts", "Message")


def open_alerts(view: str = "Channels", **query: str) -> AppTest:
    """The page, at one of its views."""
    app = open_page("alerts", {"view": view, **query})
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    """Press a button."""
    app.button(key=key).click().run()
    assert not app.exception
    return app


def plain(app: AppTest) -> str:
    """What is read on the page, without markdown's escapes."""
    return words(app).replace("\\", "")


def errors(app: AppTest) -> str:
    """All that is drawn as an error."""
    return "\n".join(error.value for error in app.error).replace("\\", "")


def warnings(app: AppTest) -> str:
    """All that is drawn as a warning."""
    return "\n".join(one.value for one in app.warning).replace("\\", "")


def show(app: AppTest, view: str) -> AppTest:
    """Go to another view of the page."""
    app.segmented_control(key="view").set_value(view).run()
    assert not app.exception
    return app


def toasts(app: AppTest) -> str:
    """What the toasts of the last run say."""
    return "\n".join(toast.value for toast in app.toast).replace("\\", "")


def fail(*_: object, **__: object) -> None:
    """Stands in for a service whose database is locked."""
    raise StoreError("the database is locked")
