"""XMP packets (ISO 16684-1): thumbnails removed, single properties read and written.

A packet is edited as bytes, at the places that the XML parser reports: everything else stays as it was written.
Entities and document types are refused, as XMP has no use for either.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from xml.parsers import expat

from .hidden_pictures import holds_picture

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
"""Namespace of IPTC's extension schema, which has the properties on a picture's origin."""

_XAP = "http://ns.adobe.com/xap/1.0/"
_ORIENTATION = ("http://ns.adobe.com/tiff/1.0/", "Orientation")
# Pictures and gain maps of the original would still show removed things; offsets to appended ones would be wrong.
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
_DEEPEST, _MOST_NODES, _LARGEST = (
    200,
    100_000,
    8 << 20,
)  # elements and attributes, and bytes; beyond these it is taken for unreadable
_LIKELY_PICTURE = re.compile(rb"/9j/4|iVBORw0KGgo|Thumbnails|hdr-gain-map|HDRGainMap")
_PREVIEW_NAME = re.compile("thumb|preview", re.IGNORECASE)
_SHORT = 256  # characters: no preview is shorter
_TAG_END = re.compile(rb"""(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")
_DIGIT = re.compile(rb"""([>"']\s*)[1-8](\s*[<"'])""")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
).encode()


class _UnreadableXmp(ValueError):  # noqa: N818 - always caught here
    """The packet is no well-formed XML, or has a document type or entities."""


@dataclass(slots=True)
class _XmpProperty:
    """A property, be it an element or an attribute: name, value, and its range of bytes."""

    name: tuple[str, str]  # namespace and local name
    start: int
    end: int = -1
    value: str = ""
    values: list[str] = field(default_factory=list)  # its text, or the texts of its list, or what it refers to
    top: bool = False  # whether it is one of the packet's subject, and no part of another property
    length: int = 0  # characters of its values and those within
    shows: bool = False  # whether one of its values is a picture

    def take(self, text: str) -> None:
        """Count a value that it has."""
        self.length += len(text)
        self.shows = self.shows or (len(text) >= 64 and holds_picture(text.encode("utf-8", "replace")))

    @property
    def is_preview(self) -> bool:
        """Whether it is a picture: by its value, or by its name and size."""
        return self.shows or (self.length >= _SHORT and _PREVIEW_NAME.search(self.name[1]) is not None)


@dataclass(slots=True)
class _XmpContents:
    """Properties of a packet, and the values needed to add one."""

    properties: list[_XmpProperty] = field(default_factory=list)
    about: str = ""  # rdf:about of the first description
    rdf_end: int = -1  # position of </rdf:RDF>; -1 if there is none
    rdf_prefix: bytes = b"rdf"


def sanitised(xmp: bytes) -> bytes | None:
    """The packet without thumbnails, embedded pictures (of any vendor) and gain map references, tiff:Orientation set
    to 1.

    A packet that can't be parsed is kept as long as nothing in it looks like a picture, and dropped (None) otherwise;
    so is one that holds a picture outside of its properties.
    """
    try:
        found = _parsed(xmp)
    except _UnreadableXmp:
        return None if _LIKELY_PICTURE.search(xmp) or holds_picture(xmp) or not xmp.strip() else xmp
    edits = [(p.start, p.end, b"") for p in found.properties if p.is_preview or _dropped(*p.name)]
    clean = _edited(xmp, edits + _orientation_edits(xmp, found, 1))
    return None if holds_picture(clean) else clean


def with_orientation(xmp: bytes | None, orientation: int) -> bytes | None:
    """The packet whose tiff:Orientation, where it has one, is `orientation`, as in the EXIF block of the same file."""
    try:
        return xmp and _edited(xmp, _orientation_edits(xmp, _parsed(xmp), orientation))
    except _UnreadableXmp:
        return xmp


def read_property(xmp: bytes | None, namespace: str, name: str) -> str | None:
    """The text of a simple property; None when it isn't there or the packet can't be parsed."""
    try:
        found = _parsed(xmp or b"")
    except _UnreadableXmp:
        return None
    return next((p.value for p in found.properties if p.name == (namespace, name)), None)


def read_values(xmp: bytes | None, *names: tuple[str, str]) -> tuple[tuple[str, ...], ...]:
    """Every text of each of these properties of the packet's subject: a simple one, those of a list, what it refers to,
    or its value beside qualifiers (rdf:value). Parts of other properties are left out.

    Args:
        xmp: The packet.
        names: Namespaces and names.

    Returns:
        For each of them its texts; none when it isn't there or the packet can't be parsed.
    """
    try:
        properties = _parsed(xmp or b"").properties
    except _UnreadableXmp:
        properties = []
    return tuple(tuple(text for p in properties if p.top and p.name == name for text in p.values) for name in names)


def is_extensible(xmp: bytes) -> bool:
    """Whether properties can be added to the packet. `with_property` makes a new one in place of any other."""
    try:
        return _parsed(xmp).rdf_end >= 0
    except _UnreadableXmp:
        return False


def with_property(
    xmp: bytes | None, namespace: str, name: str, value: str, *, prefix: str = "overpaint", nested: bool = True
) -> bytes:
    """The packet with a simple property set: an earlier value is removed, the new one added in its own description.

    Args:
        xmp: The packet to add to; a new one is made for None, and for one that can't be parsed.
        namespace: Namespace of the property.
        name: Its local name, an XML name.
        value: Text. Characters that XML can't hold are replaced with U+FFFD.
        prefix: Namespace prefix to write.
        nested: Whether it is removed from within other properties too.
    """
    return with_properties(xmp, namespace, {name: value}, prefix=prefix, nested=nested)


def with_properties(
    xmp: bytes | None, namespace: str, values: Mapping[str, str], *, prefix: str = "overpaint", nested: bool = True
) -> bytes:
    """The packet with simple properties of one namespace set, as `with_property` does it.

    Args:
        xmp: The packet to add to.
        namespace: Namespace of the properties.
        values: Their texts by local name.
        prefix: Namespace prefix to write.
        nested: Whether they are removed from within other properties too.
    """
    packet = xmp or _PACKET
    try:
        found = _parsed(packet)
        if found.rdf_end < 0:
            raise _UnreadableXmp("no rdf:RDF")
    except _UnreadableXmp:
        packet, found = _PACKET, _parsed(_PACKET)
    names = {(namespace, name) for name in values}
    edits = [(p.start, p.end, b"") for p in found.properties if p.name in names and (nested or p.top)]
    rdf, about = found.rdf_prefix.decode(), html.escape(found.about)
    elements = "".join(f"<{prefix}:{name}>{_written(value)}</{prefix}:{name}>" for name, value in values.items())
    element = f'<{rdf}:Description {rdf}:about="{about}" xmlns:{prefix}="{namespace}">{elements}</{rdf}:Description>\n'
    edited = _edited(packet, [*edits, (found.rdf_end, found.rdf_end, element.encode())])
    # Descriptions of ours that were emptied above go too, so that setting twice gives what setting once gives.
    r, p = re.escape(rdf.encode()), re.escape(prefix.encode())
    return re.sub(rb'<%b:Description %b:about="[^"]*" xmlns:%b="[^"]*"></%b:Description>\n' % (r, r, p, r), b"", edited)


def _written(text: str) -> str:
    """A text as XML."""
    return html.escape(_NO_XML.sub("\ufffd", text), quote=False).replace("\r", "&#13;")


def _dropped(namespace: str, name: str) -> bool:
    return (
        namespace in _DROPPED_NAMESPACES
        or (namespace, name) in _DROPPED
        or (namespace == _CAMERA and name.startswith(_DROPPED_CAMERA))
    )


def _orientation_edits(xmp: bytes, found: _XmpContents, orientation: int) -> list[tuple[int, int, bytes]]:
    new = b"\\g<1>%d\\g<2>" % orientation
    edits: list[tuple[int, int, bytes]] = []
    for start, end in sorted((p.start, p.end) for p in found.properties if p.name == _ORIENTATION):
        if not edits or start >= edits[-1][1]:  # one within another is edited with it
            edits.append((start, end, _DIGIT.sub(new, xmp[start:end])))
    return edits


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with ranges replaced. A range within another one is already gone with it."""
    parts, at = [], 0
    for start, end, new in sorted(edits, key=lambda e: (e[0], -e[1])):
        if start < at:
            continue
        parts += [data[at:start], new]
        at = end
    return b"".join([*parts, data[at:]])


class _XmpParser:
    """Collects elements and attributes with their byte ranges."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found = _XmpContents()
        self.open: list[tuple[_XmpProperty, list[str]]] = []
        self.empty: set[int] = set()  # where elements begin that one tag begins and ends
        self.prefixes: dict[str, str] = {}
        self.count = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartNamespaceDeclHandler = self.declare
        self.parser.StartDoctypeDeclHandler = self.parser.EntityDeclHandler = self.refuse

    def refuse(self, *_: object) -> None:
        raise _UnreadableXmp("a document type or an entity")

    def declare(self, prefix: str | None, uri: str) -> None:
        self.prefixes[prefix or ""] = uri

    def start(self, name: str, attributes: dict[str, str]) -> None:
        at = self.parser.CurrentByteIndex
        self.count += 1 + len(attributes)
        if len(self.open) > _DEEPEST or self.count > _MOST_NODES:
            raise _UnreadableXmp("too deep, or too many elements and attributes")
        namespace, _, local = name.rpartition(" ")
        outer = [one.name for one, _ in self.open[-2:]]
        element = _XmpProperty((namespace, local), at, top=outer == [(RDF, "RDF"), (RDF, "Description")])
        for form in ("resource", "value"):  # what it refers to; or, where it has qualifiers, its text
            if text := attributes.get(f"{RDF} {form}"):
                element.values.append(text)
        self.open.append((element, []))
        subject = (namespace, local) == (RDF, "Description") and outer[-1:] == [(RDF, "RDF")]
        if (namespace, local) == (RDF, "Description"):
            self.found.about = self.found.about or attributes.get(f"{RDF} about", "")
        tag = _TAG_END.match(self.data, at)
        if tag and tag[0].endswith(b"/>"):
            self.empty.add(at)
            element.end = tag.end()
        for match in _ATTRIBUTE.finditer(self.data, at, tag.end() if tag else at):
            prefix, colon, local = match[1].decode("utf-8", "replace").partition(":")
            if colon and prefix != "xmlns":
                uri = self.prefixes.get(prefix, "")
                value = attributes.get(f"{uri} {local}", "")
                one = _XmpProperty((uri, local), match.start(), match.end(), value, [value], subject)
                one.take(value)
                self.found.properties.append(one)

    def text(self, data: str) -> None:
        if self.open:
            self.open[-1][1].append(data)

    def end(self, name: str) -> None:
        at = self.parser.CurrentByteIndex
        element, texts = self.open.pop()
        element.value = "".join(texts)
        if element.start not in self.empty:  # the parser says of an empty element that its end is behind its tag
            closing = _TAG_END.match(self.data, at)
            element.end = closing.end() if closing else at
        element.take(element.value)
        if text := element.value.strip():
            element.values.append(text)
        if self.open:  # a list, its items, and the value of a property with qualifiers have no names of their own
            outer = self.open[-1][0]
            if element.name[0] == RDF:
                outer.values += element.values
            outer.length += element.length
            outer.shows = outer.shows or (element.name[0] == RDF and element.shows)
        if element.name[0] != RDF:
            self.found.properties.append(element)
        elif element.name[1] == "RDF" and self.data[at : at + 2] == b"</":
            self.found.rdf_end = at
            self.found.rdf_prefix = self.data[at + 2 : element.end].partition(b":")[0]


def _parsed(data: bytes) -> _XmpContents:
    """What is in the packet. _UnreadableXmp unless it is well-formed UTF-8 XML, without entities, not too large."""
    found = _looked_through(data)
    if found is None:
        raise _UnreadableXmp
    return found


@lru_cache(maxsize=2)
def _looked_through(data: bytes) -> _XmpContents | None:
    """One pass over the packet; None where it can't be read. Several questions follow on each packet."""
    if len(data) > _LARGEST:
        return None
    parser = _XmpParser(data)
    try:
        parser.parser.Parse(data.rstrip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, ValueError, RecursionError):
        return None
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:64]
    return None if is_wide else parser.found
