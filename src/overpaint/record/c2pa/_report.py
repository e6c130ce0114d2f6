"""What the manifest of a file says, whether it is sound, and whether its signer is trusted, in words for people."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from overpaint.picture.c2pa_store import holds_manifest

from ._library import MIME_TYPES, context, library

ManifestState = Literal["trusted", "untrusted", "invalid", "elsewhere"]
"""trusted: sound, and an anchor vouches for its signer. untrusted: sound, but its signer is not known. invalid: the
file or the manifest was changed, or the certificate does not count. elsewhere: it is not in the file but at an address,
from which it is not fetched.
"""

_UNTRUSTED = "signingCredential.untrusted"
_INACCESSIBLE = "manifest.inaccessible"
_MEANINGS = {
    "assertion.dataHash.mismatch": "the file was changed after it was signed",
    "assertion.bmffHash.mismatch": "the file was changed after it was signed",
    "assertion.boxesHash.mismatch": "the file was changed after it was signed",
    "assertion.hashedURI.mismatch": "a statement of the manifest was changed after it was signed",
    "assertion.missing": "a statement of the manifest is missing",
    "assertion.action.ingredientMismatch": "an action names an ingredient that is not there",
    "assertion.action.malformed": "the list of actions is damaged",
    "claimSignature.mismatch": "the signature does not go with the manifest",
    "claimSignature.missing": "the manifest has no signature",
    "claimSignature.outsideValidity": "it was signed when the certificate was not valid",
    "claim.missing": "the manifest has no claim",
    "claim.malformed": "the manifest's claim is damaged",
    _UNTRUSTED: "its signer is not known: no anchor vouches for the certificate",
    "signingCredential.expired": "the certificate has expired, and no time stamp says that it was signed before",
    "signingCredential.invalid": "the certificate is not one that may sign manifests",
    "signingCredential.ocsp.revoked": "the certificate has been revoked",
    "signingCredential.revoked": "the certificate has been revoked",
    "timeStamp.mismatch": "the time stamp is not that of this manifest",
    "timeStamp.outsideValidity": "the time stamp's certificate was not valid",
    "timeStamp.untrusted": "the time stamp's authority is not known",
    _INACCESSIBLE: "its manifest lies at an address, from which it is not fetched",
    "ingredient.manifest.missing": "the manifest of an ingredient is missing",
    "ingredient.manifest.mismatch": "the manifest of an ingredient was changed",
    "ingredient.claimSignature.mismatch": "the signature of an ingredient's manifest was changed",
}
_ELSEWHERE = re.compile(r"remote manifests? from url (\S+)")


@dataclass(frozen=True, slots=True)
class ReportedAction:
    """An action that a manifest lists.

    Attributes:
        action: "c2pa.opened", "c2pa.edited", ...
        when: The time that it states; "" for none.
        source_type: The IPTC term of what it made; "" for none.
        agent: The program, with its version; "" for none.
        description: In the words of the manifest.
        boxes: The regions that it changed, in pixels: left, top, right, bottom.
    """

    action: str
    when: str = ""
    source_type: str = ""
    agent: str = ""
    description: str = ""
    boxes: tuple[tuple[float, ...], ...] = ()

    @property
    def line(self) -> str:
        """In a line for people."""
        words = [self.action.removeprefix("c2pa."), self.description, self.source_type]
        words += [f"by {self.agent}"] if self.agent else []
        places = [",".join(f"{side:g}" for side in box) for box in self.boxes[:3]]
        more = f" and {len(self.boxes) - 3} more" if len(self.boxes) > 3 else ""
        words += [f"at {'; '.join(places)}{more}"] if places else []
        return "; ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class ReportedIngredient:
    """What a picture was made of.

    Attributes:
        title: Its name; "" for none.
        relationship: "parentOf": it was edited. "componentOf": it was put in.
        manifest: The label of its own manifest; "" where it has none.
        problems: What was wrong with that when the picture was made of it, in words.
        address: Where its manifest lay that was not fetched; "" for none.
    """

    title: str
    relationship: str
    manifest: str = ""
    problems: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """The active manifest of a file.

    Attributes:
        state: Whether it is sound, and whether its signer is trusted.
        problems: What is wrong, in words; empty where it is trusted.
        codes: The same in C2PA's codes.
        signer: Whom the certificate names.
        issuer: Who issued it.
        expires: When the certificate expires, ISO 8601; "" where that is not known.
        stamped: When a time-stamping authority saw the signature; "" for no time stamp.
        generator: The program that made the manifest.
        actions: What was done.
        ingredients: What it was made of.
        chain: How many manifests the file has: its own, and those of what it was made of.
        address: Where the manifest lies that is not in the file; "" for none.
    """

    state: ManifestState
    problems: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    signer: str = ""
    issuer: str = ""
    expires: str = ""
    stamped: str = ""
    generator: str = ""
    actions: tuple[ReportedAction, ...] = ()
    ingredients: tuple[ReportedIngredient, ...] = ()
    chain: int = 0
    address: str = ""

    @property
    def summary(self) -> str:
        """The state in a sentence."""
        if self.state == "trusted":
            return f"signed by {self.signer}, whom your anchors vouch for; not changed since"
        if self.state == "untrusted":
            return f"signed by {self.signer}, whom no anchor vouches for; not changed since"
        if self.state == "elsewhere":
            return f"the manifest lies at {self.address}, and is not fetched"
        return f"not valid: {'; '.join(self.problems)}"

    def lines(self) -> list[tuple[str, str]]:
        """All of it for people: names and texts."""
        rows = [("manifest", self.summary)]
        if self.signer and self.state == "invalid":
            rows.append(("signer", self.signer))
        if self.issuer:
            rows.append(("issuer", self.issuer))
        if self.expires:
            stamped = f"; time stamp of {self.stamped}" if self.stamped else "; no time stamp"
            rows.append(("certificate", f"valid until {self.expires[:10]}{stamped}"))
        if self.generator:
            rows.append(("made by", self.generator))
        for line, same in groupby(one.line for one in self.actions):
            times = len(list(same))
            rows.append(("action", line if times == 1 else f"{line} ({times} times)"))
        for one in self.ingredients:
            own = "signed itself" if one.manifest else "without a manifest"
            if one.address:
                own = f"its manifest lay at {one.address}, and was not fetched"
            about = f"{one.title or 'without a name'} ({own})"
            wrong = f"; when it was opened: {'; '.join(one.problems)}" if one.problems else ""
            rows.append(("made of", about + wrong))
        if self.chain > 1:
            rows.append(("chain", f"{self.chain} manifests"))
        return rows

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


def read_manifest(data: bytes, format: str | None, *, anchors: str = "") -> ManifestReport | None:
    """The manifest of a file; None where it has none. Nothing is fetched from anywhere.

    Args:
        data: The file.
        format: Its format, as in `Source.format`.
        anchors: Certificates in PEM whose signers are trusted; see `anchors_of`.

    Raises:
        MissingExtraError: The extra `c2pa` is not installed.
    """
    c2pa, kind = library(), MIME_TYPES.get(format or "")
    if kind is None:
        return None
    try:
        with c2pa.Reader(kind, io.BytesIO(data), context=context(anchors=anchors)) as reader:
            return _report(json.loads(reader.json()), json.loads(reader.crjson()))
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError.NotSupported:
        return None
    except c2pa.C2paError as error:
        if found := _ELSEWHERE.search(str(error)):
            return ManifestReport("elsewhere", (_MEANINGS[_INACCESSIBLE],), address=found[1])
        if not holds_manifest(data, format):
            return None  # the file itself is damaged, or of a kind that the library can't take apart
        return ManifestReport("invalid", (f"the manifest can't be read: {reason_of(error)}",))


def reason_of(error: Exception) -> str:
    """What the library says, without the name of its error."""
    return _text(error).partition(": ")[2] or _text(error)


def preview_labels(data: bytes, format: str) -> tuple[str, ...]:
    """The URIs of all previews in the manifests of a file; none where they can't be read."""
    c2pa = library()
    try:
        with c2pa.Reader(MIME_TYPES[format], io.BytesIO(data), context=context()) as reader:
            manifests = json.loads(reader.detailed_json())["manifests"]
    except (c2pa.C2paError, KeyError):
        return ()
    return tuple(
        f"self#jumbf=/c2pa/{label}/c2pa.assertions/{name}"
        for label, one in manifests.items()
        for name in one.get("assertion_store", {})
        if name.startswith("c2pa.thumbnail.")
    )


def _report(store: Mapping[str, Any], certificates: Mapping[str, Any]) -> ManifestReport:
    manifests = store.get("manifests", {})
    active = manifests.get(store.get("active_manifest"), {})
    results = store.get("validation_results", {})
    faults = _faults(results)
    signature = active.get("signature_info", {})
    subject = _certificate(certificates, store.get("active_manifest"))
    states: dict[str, ManifestState] = {"Trusted": "trusted", "Valid": "untrusted"}
    generator: Mapping[str, Any] = next(iter(active.get("claim_generator_info") or ()), {})
    named = f"{_text(generator.get('name'))} {_text(generator.get('version'))}".strip()
    return ManifestReport(
        state=states.get(store.get("validation_state", ""), "invalid"),
        problems=_problems(faults),
        codes=tuple(dict.fromkeys(str(fault.get("code", "")) for fault in faults)),
        signer=_joined(subject.get("subject")) or _text(signature.get("common_name") or signature.get("issuer")),
        issuer=_joined(subject.get("issuer")),
        expires=_text(subject.get("validity", {}).get("notAfter")),
        stamped=_text(signature.get("time")),
        generator=named or _text(active.get("claim_generator")),
        actions=tuple(_actions(active)),
        ingredients=tuple(_ingredient(one) for one in active.get("ingredients", [])),
        chain=len(manifests),
    )


def _faults(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The faults of a manifest, and those of its ingredients that it does not list itself."""
    faults = list(results.get("activeManifest", {}).get("failure", []))
    for one in results.get("ingredientDeltas", []):
        faults += one.get("validationDeltas", {}).get("failure", [])
    return faults


def _certificate(found: Mapping[str, Any], label: str | None) -> Mapping[str, Any]:
    """The signer's certificate, as the library's conformance report has it."""
    for one in found.get("manifests", []):
        if one.get("label") == label:
            known: Mapping[str, Any] = one.get("signature", {}).get("certificateInfo", {})
            return known
    return {}


def _joined(name: Mapping[str, Any] | None) -> str:
    """Organisation and common name of a certificate's name."""
    parts = [_text(name.get(key)) for key in ("O", "CN")] if name else []
    return ", ".join(dict.fromkeys(part for part in parts if part))


def _problems(faults: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Faults in words, each once. That the signer is not known comes last, and is left out where the certificate does
    not count anyway.
    """
    found = {str(fault.get("code", "")): fault for fault in faults}
    unknown = found.pop(_UNTRUSTED, None)
    if unknown is not None and not {"signingCredential.expired", "signingCredential.invalid"} & found.keys():
        found[_UNTRUSTED] = unknown
    return tuple(dict.fromkeys(_MEANINGS.get(code) or _explained(code, fault) for code, fault in found.items()))


def _explained(code: str, fault: Mapping[str, Any]) -> str:
    """A fault in the words of the library."""
    return f"{_text(fault.get('explanation')) or 'a fault'} ({_text(code)})"


def _actions(manifest: Mapping[str, Any]) -> Iterator[ReportedAction]:
    for assertion in manifest.get("assertions", []):
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            for one in assertion.get("data", {}).get("actions", []):
                agent = one.get("softwareAgent") or {}
                named = agent if isinstance(agent, str) else f"{agent.get('name', '')} {agent.get('version', '')}"
                yield ReportedAction(
                    action=_text(one.get("action")),
                    when=_text(one.get("when")),
                    source_type=_text(one.get("digitalSourceType")).rpartition("/")[2],
                    agent=_text(named).strip(),
                    description=_text(one.get("description")),
                    boxes=tuple(_boxes(one.get("changes") or ())),
                )


def _boxes(changes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[float, ...]]:
    """The rectangles in pixels among the regions of changes."""
    for change in changes:
        for region in change.get("region") or ():
            shape = region.get("shape") or {}
            if shape.get("type") == "rectangle" and shape.get("unit") == "pixel":
                left, top = (float(shape.get("origin", {}).get(axis, 0)) for axis in ("x", "y"))
                yield left, top, left + float(shape.get("width") or 0), top + float(shape.get("height") or 0)


def _ingredient(one: Mapping[str, Any]) -> ReportedIngredient:
    """An ingredient. An unknown signer is no fault here: the manifest was made without trusted certificates."""
    faults = [*_faults(one.get("validation_results") or {}), *(one.get("validation_status") or [])]
    wrong = _problems(fault for fault in faults if fault.get("code") not in (_UNTRUSTED, _INACCESSIBLE))
    return ReportedIngredient(
        title=_text(one.get("title")),
        relationship=_text(one.get("relationship")),
        manifest=_text(one.get("active_manifest")),
        problems=wrong,
        address=next((_text(one.get("url")) for one in faults if one.get("code") == _INACCESSIBLE), ""),
    )


def _text(value: object) -> str:
    """A text of the manifest in one line, with codes in the place of what a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)[:2000]
