"""str: xml."""

from __future__ import annotations

import re

from .._oids import XML_OID
from .rendered import RenderedLoader

_DECLARATION = re.compile(
    rb'<\?xml version="([^"]*)"(?: encoding="[^"]*")?( standalone="[^"]*")?\?>(\n?)'
)


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


DUMPERS = ()
LOADERS = ((XML_OID, XmlBinaryLoader),)
