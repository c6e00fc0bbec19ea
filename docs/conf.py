"""How Sphinx builds the documentation."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import psycopg3
from psycopg3 import Rollback, errors
from psycopg3._sqlstates import NAMES

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_project = tomllib.loads(
    (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)["project"]

project = _project["name"]
version = release = _project["version"]
author = "The psycopg3 contributors"
project_copyright = author

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"psycopg3 {release}"
default_role = "code"
pygments_style = "friendly"

add_module_names = False
maximum_signature_line_length = 90
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False


# Where public names are said to be; they are written elsewhere.
FRONTS = ("psycopg3", "psycopg3.adapt", "psycopg3.errors", "psycopg3.pq", "psycopg3.transaction")

# Classes that have another name for users.
RENAMED = {"Session": "BaseConnection"}

# Made by methods of others: nobody calls them.
MADE = (
    "AsyncTransaction",
    "Column",
    "ConnectionInfo",
    "Diagnostic",
    "PGcancel",
    "PGcancelConn",
    "PGconn",
    "PGresult",
    "ServerSettings",
    "Transaction",
)


class SQLStates(SphinxDirective):
    """`sqlstates` lists the exceptions of the SQLSTATEs whose base is its argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = []
        for sqlstate, name in NAMES.items():
            if errors.lookup(sqlstate).__base__.__name__ == self.arguments[0]:
                lines += [f".. py:exception:: {name}", "   :no-contents-entry:", ""]
                lines += [f"   {sqlstate}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def keep_colons(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Put something before an attribute's text: of its first line, napoleon makes type and text."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # a comment


def leave_signatures_out(
    _app: Sphinx, what: str, name: str, obj: object, *_: object
) -> tuple[str, None] | None:
    """Show no arguments of exceptions, which all have those of their base, and of what is made."""
    is_made = what == "class" and name.rpartition(".")[2] in MADE
    is_like_its_base = what == "exception" and obj not in (errors.Error, errors.Warning, Rollback)
    return ("", None) if is_made or is_like_its_base else None


def find_attributes() -> None:
    """Have autodoc find the docstrings of attributes, though classes name another module as theirs."""
    package = Path(psycopg3.__file__).parent
    rooms = [str(path) for path in package.rglob("*.py")]
    for name in FRONTS:
        front = ModuleAnalyzer.for_module(name)
        front.analyze()
        for room in rooms:
            written = ModuleAnalyzer.for_file(room, room)
            written.analyze()
            for (owner, attribute), text in written.attr_docs.items():
                if owner:
                    front.attr_docs[RENAMED.get(owner, owner), attribute] = text


def setup(app: Sphinx) -> None:
    """Add what is ours to Sphinx."""
    find_attributes()
    app.add_directive("sqlstates", SQLStates)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon's
    app.connect("autodoc-process-signature", leave_signatures_out)
