"""XMP packets (ISO 16684-1): cleaned on reading, given a property, asked for one.

A packet is edited as bytes, at the places that the XML parser names: whatever is not meant stays as it was written.
Entities and document types are refused, as XMP has no use for either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XAP = "http://ns.adobe.com/xap/1.0/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
# Pictures and gain maps of the original would still show what was removed; offsets to appended ones would dangle.
_DROPPED_NAMESPACES = frozenset(
    {
        "http://ns.adobe.com/hdr-gain-map/1.0/",
        "http://ns.apple.com/HDRGainMap/1.0/",
        "http://ns.google.com/photos/1.0/container/",
        "http://ns.google.com/photos/1.0/image/",
        "http://ns.google.com/photos/1.0/depthmap/",
        "http://ns.google.com/photos/1.0/audio/",
        "http://ns.google.com/photos/dd/1.0/device/",
    }
)
_DROPPED = frozenset({(_XAP, "Thumbnails"), ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP")})
_DROPPED_CAMERA = ("MotionPhoto", "MicroVideo")
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_LIKELY_PICTURE = re.compile(rb"/9j/4|iVBORw0KGgo|Thumbnails|hdr-gain-map|HDRGainMap")
_TAG_END = re.compile(rb"""(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")

_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
).encode()


class _UnreadableXmp(ValueError):  # noqa: N818 - always caught here
    """The packet is no well-formed XML, or has what XMP has no use for."""


@dataclass(slots=True)
class _XmpRanges:
    """What one pass over a packet is looking for, and the byte ranges and names that it finds."""

    properties: list[tuple[str, str, int, int]] = field(default_factory=list)  # namespace, name, start, end
    attributes: list[tuple[str, str, int, int, bytes]] = field(default_factory=list)  # ..., the raw value
    texts: dict[int, str] = field(default_factory=dict)  # text of the element that starts at
    description: str = ""  # rdf:about of the first description
    rdf_end: int = -1  # where </rdf:RDF> stands; -1 if there is none
    rdf_prefix: bytes = b"rdf"


def sanitised(xmp: bytes) -> bytes | None:
    """The packet without thumbnails, embedded pictures and gain map references, tiff:Orientation set to 1.

    A packet that can't be parsed is kept as long as nothing in it looks like a picture, and dropped (None) otherwise.
    """
    try:
        found = _scan(xmp)
    except _UnreadableXmp:
        return None if _LIKELY_PICTURE.search(xmp) or not xmp.strip() else xmp
    ranges = _ranges(found)
    edits = [(start, end, b"") for namespace, name, start, end in ranges if _dropped(namespace, name)]
    return _edited(xmp, edits + _orientation_edits(xmp, found, 1))


def with_orientation(xmp: bytes | None, orientation: int) -> bytes | None:
    """The packet whose tiff:Orientation, where it has one, is `orientation`: what EXIF says in the same file."""
    try:
        return xmp and _edited(xmp, _orientation_edits(xmp, _scan(xmp), orientation))
    except _UnreadableXmp:
        return xmp


def _orientation_edits(xmp: bytes, found: _XmpRanges, orientation: int) -> list[tuple[int, int, bytes]]:
    number = b"\\g<1>%d\\g<2>" % orientation
    return [
        (start, end, re.sub(rb"""([>"']\s*)[1-8](\s*[<"'])""", number, xmp[start:end]))
        for namespace, name, start, end in _ranges(found)
        if (namespace, name) == (_TIFF, "Orientation")
    ]


def read_property(xmp: bytes | None, namespace: str, name: str) -> str | None:
    """The text of a simple property; None when it isn't there or the packet can't be parsed."""
    try:
        found = _scan(xmp or b"")
    except _UnreadableXmp:
        return None
    for space, local, start, _ in found.properties:
        if (space, local) == (namespace, name):
            return found.texts[start]
    for space, local, _, _, raw in found.attributes:
        if (space, local) == (namespace, name):
            return _unescaped(raw)
    return None


def with_property(xmp: bytes | None, namespace: str, name: str, value: str, *, prefix: str = "overpaint") -> bytes:
    """The packet with a simple property set: an earlier value is taken out, the new one added in its own description.

    Args:
        xmp: The packet to add to; a new one is made for None, and for one that can't be parsed.
        namespace: Namespace of the property.
        name: Its local name, an XML name.
        value: Text. Characters that XML can't hold are replaced with U+FFFD.
        prefix: Namespace prefix to write.
    """
    packet = xmp or _PACKET
    try:
        found = _scan(packet)
        if found.rdf_end < 0:
            raise _UnreadableXmp("no rdf:RDF")
    except _UnreadableXmp:
        packet, found = _PACKET, _scan(_PACKET)
    edits = [(start, end, b"") for space, local, start, end in _ranges(found) if (space, local) == (namespace, name)]
    rdf = found.rdf_prefix.decode()
    about = escape(found.description, {'"': "&quot;"})
    text = escape(re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", value)).replace(
        "\r", "&#13;"
    )
    element = (
        f'<{rdf}:Description {rdf}:about="{about}" xmlns:{prefix}="{namespace}">'
        f"<{prefix}:{name}>{text}</{prefix}:{name}></{rdf}:Description>\n"
    )
    edits.append((found.rdf_end, found.rdf_end, element.encode()))
    return _without_empty_descriptions(_edited(packet, edits), rdf, prefix)


def _without_empty_descriptions(packet: bytes, rdf: str, prefix: str) -> bytes:
    """Descriptions of ours that were emptied above go too, so that setting twice gives what setting once gives."""
    r, p = re.escape(rdf.encode()), re.escape(prefix.encode())
    return re.sub(rb'<%b:Description %b:about="[^"]*" xmlns:%b="[^"]*"></%b:Description>\n' % (r, r, p, r), b"", packet)


def _ranges(found: _XmpRanges) -> list[tuple[str, str, int, int]]:
    """Namespace, name, start and end of every property, whether it is an element or an attribute."""
    return [*found.properties, *(attribute[:4] for attribute in found.attributes)]


def _dropped(namespace: str, name: str) -> bool:
    return (
        namespace in _DROPPED_NAMESPACES
        or (namespace, name) in _DROPPED
        or (namespace == _CAMERA and name.startswith(_DROPPED_CAMERA))
    )


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with ranges replaced. A range within another one is already gone with it."""
    parts, at = [], 0
    for start, end, new in sorted(edits, key=lambda e: (e[0], -e[1])):
        if start < at:
            continue
        parts += [data[at:start], new]
        at = end
    return b"".join([*parts, data[at:]])


def _unescaped(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    text = re.sub(r"&#x([0-9a-fA-F]{1,6});", lambda m: chr(min(int(m[1], 16), 0x10FFFF)), text)
    text = re.sub(r"&#([0-9]{1,7});", lambda m: chr(min(int(m[1]), 0x10FFFF)), text)
    for name, character in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("apos", "'"), ("amp", "&")):
        text = text.replace(f"&{name};", character)
    return text


class _XmpScanner:
    """Collects elements and attributes with their byte ranges."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found = _XmpRanges()
        self.open: list[tuple[str, str, int]] = []
        self.prefixes: dict[str, list[str]] = {}
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartNamespaceDeclHandler = self.declare
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse

    def refuse(self, *_: object) -> None:
        raise _UnreadableXmp("a document type or an entity")

    def declare(self, prefix: str | None, uri: str) -> None:
        self.prefixes.setdefault(prefix or "", []).append(uri)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        at = self.parser.CurrentByteIndex
        if len(self.open) > 200:
            raise _UnreadableXmp("too deep")
        namespace, _, local = name.rpartition(" ")
        self.open.append((namespace, local, at))
        self.found.texts[at] = ""
        if (namespace, local) == (RDF, "Description"):
            self.found.description = self.found.description or attributes.get(f"{RDF} about", "")
        if attributes:
            self._attributes(at)

    def _attributes(self, at: int) -> None:
        tag = _TAG_END.match(self.data, at)
        for match in _ATTRIBUTE.finditer(self.data, at, tag.end() if tag else at):
            prefix, colon, local = match[1].decode("utf-8", "replace").partition(":")
            if not colon or prefix == "xmlns":
                continue
            uri = (self.prefixes.get(prefix) or [""])[-1]
            self.found.attributes.append((uri, local, match.start(), match.end(), match[2][1:-1]))

    def text(self, data: str) -> None:
        if self.open:
            self.found.texts[self.open[-1][2]] += data

    def end(self, name: str) -> None:
        at = self.parser.CurrentByteIndex
        namespace, local, start = self.open.pop()
        closing = _TAG_END.match(self.data, at)
        end = closing.end() if closing else at
        if namespace == RDF:
            if local == "RDF" and self.data[at : at + 2] == b"</":
                self.found.rdf_end = at
                self.found.rdf_prefix = self.data[at + 2 : end].partition(b":")[0]
            return
        self.found.properties.append((namespace, local, start, end))


def _scan(data: bytes) -> _XmpRanges:
    """One pass over the packet. _UnreadableXmp unless it is well-formed UTF-8 XML without entities."""
    scanner = _XmpScanner(data)
    try:
        scanner.parser.Parse(data.rstrip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, ValueError, RecursionError) as error:
        raise _UnreadableXmp(str(error)) from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:64]:
        raise _UnreadableXmp("not UTF-8")
    return scanner.found
