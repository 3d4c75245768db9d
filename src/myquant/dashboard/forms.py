"""Fields of forms whose answers stand in the address, so that what is shown can be shared, and works without more."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement


@contextmanager
def query_form(path: str, label: str, submit: str) -> Iterator[None]:
    """Make a form that opens a page with its fields in the address. `submit`: what its button says."""
    form = ui.element("form").props("method=get role=search").classes("fields")
    form.props["action"], form.props["aria-label"] = path, label
    with form:
        yield
        with ui.element("div").classes("actions"), ui.element("button").props("type=submit").classes("plain main"):
            ui.label(submit)


def text_field(name: str, label: str, value: str, *, hint: str = "", most: int = 300) -> None:
    """Add a field for a text."""
    with _labelled(label):
        field = ui.element("input").props("type=text autocomplete=off spellcheck=false")
        field.props.update({"name": name, "value": value, "placeholder": hint, "maxlength": most})


def choice_field(name: str, label: str, options: Mapping[str, str], chosen: str) -> None:
    """Add a field to choose from; `options`: what is shown, by value."""
    with _labelled(label), ui.element("select") as field:
        field.props["name"] = name
        for value, text in options.items():
            option = TextElement(tag="option", text=text)
            option.props["value"] = value
            if value == chosen:
                option.props["selected"] = True


def check_field(name: str, label: str, *, value: str = "1", is_checked: bool) -> None:
    """Add a field that is ticked or not."""
    with ui.element("label").classes("check"):
        field = ui.element("input").props("type=checkbox")
        field.props.update({"name": name, "value": value})
        if is_checked:
            field.props["checked"] = True
        with ui.element("span"):
            ui.label(label)


def check_fields(name: str, legend: str, values: Sequence[str], chosen: Sequence[str]) -> None:
    """Add fields of one name, folded away, each with a value of its own; none ticked: all."""
    with ui.element("details").classes("wide") as details:
        if chosen:
            details.props["open"] = True
        with ui.element("summary"):
            ui.label(f"{legend}: {len(chosen):,} of {len(values):,}" if chosen else f"{legend}: all {len(values):,}")
        with ui.element("fieldset").classes("checks"):
            with ui.element("legend"):
                ui.label(f"{legend}; none ticked: all")
            for value in values:
                check_field(name, value, value=value, is_checked=value in chosen)


@contextmanager
def _labelled(label: str) -> Iterator[None]:
    with ui.element("label").classes("field"):
        with ui.element("span"):
            ui.label(label)
        yield
