"""Templates to HTML; everything that is put in is escaped."""

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from mem9_async.dashboard import charts, view
from mem9_async.models.job import JobState

_TEMPLATES = Path(__file__).parent / "templates"


@lru_cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["age"] = view.age
    made.filters["drawn"] = charts.drawn
    made.globals.update(
        width=charts.WIDTH, height=charts.HEIGHT, states=[str(each) for each in JobState]
    )
    return made


def rendered(template: str, **values: object) -> str:
    """Return *template* with *values* in it."""
    return _environment().get_template(template).render(**values)
