"""How Sphinx builds the documentation."""

from __future__ import annotations

import tomllib
from pathlib import Path

_project = tomllib.loads(
    (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)["project"]

project = _project["name"]
version = release = _project["version"]
author = "The psycopg3 contributors"
project_copyright = author

extensions: list[str] = []
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"psycopg3 {release}"
default_role = "code"
pygments_style = "friendly"
