"""str: xml."""

from __future__ import annotations

import re

from .._oids import XML_OID
from ..abc import AdaptContext
from .rendered import RenderedLoader
from .string import StrBinaryDumper

_ENCODING = re.compile(r"""(<\?xml[^>]*?)\s+encoding\s*=\s*("[^"]*"|'[^']*')""")
_DECLARATION = re.compile(
    rb'<\?xml version="([^"]*)"(?: encoding="[^"]*")?( standalone="[^"]*")?\?>(\n?)'
)


class XmlBinaryDumper(StrBinaryDumper):
    """str as xml in binary, which is read as UTF-8 where it doesn't say otherwise."""

    oid = XML_OID
    contextual = False

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls)  # in no connection's encoding

    def dump(self, obj: str) -> bytes:
        """The text; that an encoding is declared counts for nothing, as in text format."""
        return super().dump(_ENCODING.sub(r"\1", obj, count=1) if obj[:5] == "<?xml" else obj)


class XmlBinaryLoader(RenderedLoader):
    """Reads xml in binary: as text, but for an encoding in the declaration, which text never has."""

    def _render(self, data: bytes) -> bytes:
        found = _DECLARATION.match(data)
        if found is None:
            return data
        version, standalone, newline = found.groups(default=b"")
        if version == b"1.0" and not standalone:  # then text has no declaration at all
            return data[found.end() :]
        return b'<?xml version="%b"%b?>%b' % (version, standalone, newline) + data[found.end() :]


DUMPERS = ((None, XmlBinaryDumper),)
LOADERS = ((XML_OID, XmlBinaryLoader),)
