"""`overpaint audit`: verify, show and export the evidence of edits."""

from __future__ import annotations

import contextlib
import json as json_module
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from overpaint.errors import CredentialsError, RecordError, RequestError
from overpaint.files import is_file

from .options import OUT, PRINTED_UNSET, AsJson, Debug, Overwrite, Printed, argument, verb_group
from .session_evidence import action_rows, knows_session, show_session
from .streams import STDIO, write_output
from .texts import counted, print_json, print_line, print_rows, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from overpaint.audit import AuditKey, AuditRecord, LogEntry, Verdict, Witness
    from overpaint.record import Record

_LOG = Group("Log", sort_key=0)
_HOW = Group("How", sort_key=1)

_MOST = 20  # faults and notes that are printed

app = verb_group(
    "audit",
    "The evidence of edits: is a log whole, how was a picture made, and the log for other tools.",
    "audit verify out",
    "audit show out/bench.remove.png",
    "audit export out --to csv -o edits.csv",
)

LogPath = Annotated[str, argument("PATH", "The log, or a folder that has an audit.jsonl. Left out: this folder.", _LOG)]
What = Annotated[str, argument("FILE-or-ID", "A picture that was written, or the beginning of a record's id.", _LOG)]
LogOption = Annotated[
    str | None,
    argument(
        "--audit",
        "The log, or a folder that has an audit.jsonl. Left out: the picture's folder, then this one.",
        _LOG,
        "PATH",
    ),
]


@app.command(sort_key=0)
def verify(
    path: LogPath = ".",
    /,
    *,
    files: Annotated[bool, Parameter(group=_HOW, negative="--chain-only")] = True,
    inputs: Annotated[bool, Parameter(group=_HOW, negative=())] = False,
    strict: Annotated[bool, Parameter(group=_HOW, negative=())] = False,
    against: Annotated[str | None, Parameter(group=_HOW, metavar="LEDGER")] = None,
    key: Annotated[tuple[str, ...], Parameter(group=_HOW, metavar="FILE")] = (),
    head: Annotated[str | None, Parameter(group=_HOW, metavar="COUNT:HASH")] = None,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Whether a log is whole: nothing changed, missing, added or moved. Exit status 1 when it is not.

    [dim]$[/] overpaint audit verify out
    [dim]$[/] overpaint audit verify out --inputs --strict --key batch.pub
    [dim]$[/] overpaint audit verify out/audit.jsonl --head 300:5f0c...

    Args:
        files: Compare the outputs with their digests as well, and list files that a batch's log does not know.
        inputs: Compare pictures and masks that were read as well.
        strict: Take every note for a fault: a missing output, a file that the log does not know, a link.
        against: A batch's ledger, or the folder that has it, which knows how the log ended. Left out: that of the
            log's folder, where there is one.
        key: The public key that must have signed the log. May be given again.
        head: A head that is known from elsewhere, as a batch's report has it: the chain must have come by it.
    """
    from overpaint.audit import verify as verified

    # the log may be missing where only its head or a ledger is left
    log = Path(path) / "audit.jsonl" if Path(path).is_dir() else Path(path)
    ledger = _ledger(against, log)
    verdict = verified(
        log,
        files=files,
        inputs=inputs,
        strict=strict,
        expected=None if head is None else _head(head),
        witness=ledger,
        keys=[_public_key(name) for name in key],
    )
    if printed.json:
        print_json(mapping(verdict))
    elif not printed.quiet:
        _print(verdict, checked=bool(key))
    return 0 if verdict.whole else 1


@app.command(sort_key=1)
def keygen(
    path: Annotated[str, argument("FILE", "The private key; FILE.pub is the public one.", _LOG)],
    /,
    *,
    debug: Debug = False,
) -> int:
    """Make a pair of keys: the private one signs logs (--audit-key), the public one verifies them (--key).

    [dim]$[/] overpaint audit keygen batch.key

    The private key has no password; only its owner can read its file. Keep it away from whom the log should convince.
    """
    from overpaint.audit import AuditKey

    made = AuditKey.make(Path(path))
    print_line(f"{path} signs, {path}.pub verifies: {made.public}")
    return 0


@app.command(sort_key=2)
def show(
    what: What,
    /,
    *,
    audit: LogOption = None,
    prompt: Annotated[str | None, Parameter(group=_HOW, metavar="TEXT")] = None,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """How a picture was made, as the log has it.

    [dim]$[/] overpaint audit show out/bench.remove.png
    [dim]$[/] overpaint audit show 5f0c93 --audit out

    Args:
        prompt: Of a private record: whether this was its prompt.
    """
    from overpaint.session import is_session

    if is_session(Path(what)):
        return show_session(Path(what), session_log(Path(what), audit), json=json)
    found = entry(what, audit)
    matches = None if prompt is None else _matches(found, prompt)
    if json:
        table = {"line": found.link.n, "id": found.link.id, "whole": found.whole, "log": str(found.log)}
        table |= {} if matches is None else {"prompt_matches": matches}
        print_json({**table, "record": json_module.loads(found.text)})
    else:
        answer = [] if matches is None else [("--prompt", f"was{'' if matches else ' not'} the prompt of this edit")]
        print_rows([*(action_rows(found) if found.of_session else rows(found)), *answer])
    return 1 if matches is False or not found.whole else 0


@app.command(sort_key=3)
def export(
    path: LogPath = ".",
    /,
    *,
    to: Annotated[Literal["prov", "csv"], Parameter(group=_HOW)] = "prov",
    output: Annotated[str | None, Parameter(alias="-o", group=OUT, metavar="OUT")] = None,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> int:
    """The log's edits for other tools: as W3C PROV-JSON, or as a table.

    [dim]$[/] overpaint audit export out --to prov -o edits.prov.json
    [dim]$[/] overpaint audit export out --to csv -o edits.csv

    Args:
        to: W3C PROV-JSON, or a table.
        output: The file. Left out: standard output.
    """
    from overpaint.audit import entries, log_at, to_csv, to_prov

    found = entries(log_at(Path(path)))
    text = to_csv(found) if to == "csv" else json_module.dumps(to_prov(found), ensure_ascii=False, indent=2) + "\n"
    write_output(STDIO if output is None else output, text.encode(), overwrite=overwrite)
    return 0


def key_of(path: str | None) -> AuditKey | None:
    """The key in the file of an option; None where it was left out. CredentialsError."""
    if path is None:
        return None
    from overpaint.audit import AuditKey

    return AuditKey.read(Path(path))


def _public_key(path: str) -> AuditKey:
    """The public key in a file. Raises CredentialsError, also for a private one: who checks logs must not have it."""
    from overpaint.audit import AuditKey

    found = AuditKey.read(Path(path))
    if found.signs:
        raise CredentialsError(
            f"--key takes the public key, and {path} is the private one: anyone who has it can forge the log",
            code="key-private",
            field="key",
            value=path,
            hint=f"give the public one, such as {path}.pub",
        )
    return found


def _ledger(against: str | None, log: Path) -> Callable[[], Witness] | None:
    """Asks the ledger that was named, or that of the log's folder; None where there is none.

    Raises:
        RequestError: The ledger that was named is missing, or knows nothing of the log.
    """
    from overpaint.batch import LogWitness, ledger_at

    path = ledger_at(log.parent) if against is None else ledger_at(Path(against))
    if path is None:
        if against is not None:
            raise RequestError(f"there is no ledger at {against}", field="against", value=against)
        return None
    if against is not None and LogWitness.reading(path, log).witness().end is None:
        raise RequestError(f"the ledger {path} does not know {log}", field="against", value=against)
    return lambda: LogWitness.reading(path, log).full_witness(log)


def entry(what: str, audit: str | None) -> LogEntry:
    """The record of a picture or an id, from the named log, else from one beside the picture or here.

    Raises:
        RequestError: It is a folder, or a log itself.
        RecordError: No log has it, or there is no log.
    """
    from overpaint.audit import find, log_at

    file = Path(what)
    folder = os.path.isdir(file)  # noqa: PTH112 - False for a name that no file can have, where Path.is_dir raises
    if folder or (file.suffix == ".jsonl" and is_file(file)):
        kind = "a folder" if folder else "an audit log, which 'overpaint audit verify' checks"
        message = f"{what} is {kind}; give a picture that was written, a session, or the beginning of a record's id"
        raise RequestError(message, field="what", value=what)
    if audit is not None:
        return find(log_at(Path(audit)), what)
    here = [log] if (log := Path("audit.jsonl")).is_file() else []
    logs = list(dict.fromkeys([*(logs_with(file) if is_file(file) else ()), *here]))
    if not logs:
        if is_file(file):
            raise RecordError("there is no audit.jsonl beside it or here: name it by --audit")
        message = f"there is no file {what[:80]!r}, nor an audit.jsonl here that could have it as a record's id"
        raise RecordError(f"{message}: name it by --audit")
    for log in logs[:-1]:
        with contextlib.suppress(RecordError):
            return find(log, what)
    return find(logs[-1], what)


def logs_with(file: Path) -> list[Path]:
    """The logs that may know a picture: in its folder, and in every folder above that is a batch's; of a link those of
    its target too.
    """
    return [log for folder in _folders_of(file) if (log := folder / "audit.jsonl").is_file()]


def lost_log(file: Path) -> Path | None:
    """The log of a batch whose folder has the picture and the ledger, and the log no more; None where none is lost."""
    from overpaint.batch import ledger_at

    logs = (folder / "audit.jsonl" for folder in _folders_of(file) if ledger_at(folder) is not None)
    return next((log for log in logs if not log.is_file()), None)


def _folders_of(file: Path) -> list[Path]:
    found: list[Path] = []
    for folder in (file.parent, file.resolve().parent):
        batches = (above for above in folder.absolute().parents if (above / ".overpaint").is_dir())
        found += [one for one in (folder, *batches) if not any(one.samefile(known) for known in found)]
    return found


def _head(text: str) -> str:
    """A head, checked for its form."""
    import re

    if not re.fullmatch(r"(\d+:)?[0-9a-f]{64}", text):
        raise RequestError(
            f"{{field}} takes COUNT:HASH with 64 of the characters 0-9a-f, not {text!r}", field="head", value=text
        )
    return text


def _matches(found: LogEntry, prompt: str) -> bool:
    painted = found.action.painted if found.of_session else (found.record,)
    return any(_was(prompt, one.edit, one.hidden.get("prompt"), found.log) for one in painted)


def _was(prompt: str, edit: Record, hashed: str | None, log: Path) -> bool:
    from overpaint.audit import Secret

    if hashed is None:
        return (edit.request.prompt or "").strip() == prompt.strip()
    return Secret.beside(log).matches(prompt, hashed)


def session_log(session: Path, audit: str | None) -> Path:
    """The log of a session: the named one; or of those in its folder and here the first that has a record of it.

    Raises:
        RecordError: There is none.
        SessionError: The session can't be read.
    """
    from overpaint.audit import log_at

    if audit is not None:
        return log_at(Path(audit))
    logs = [*logs_with(session), *([log] if (log := Path("audit.jsonl")).is_file() else [])]
    if not logs:
        raise RecordError("there is no audit.jsonl beside it or here: name it by --audit")
    known = next((log for log in dict.fromkeys(logs) if knows_session(log, session)), None)
    if known is None:
        raise RecordError(f"{logs[0]} has no record of {session}: name the log that has by --audit")
    return known


def mapping(verdict: Verdict) -> dict[str, Any]:
    """The object that `--json` writes for a log."""
    return {
        "log": str(verdict.log),
        "whole": verdict.whole,
        "lines": verdict.head.count,
        "head": str(verdict.head),
        "records": verdict.records,
        "outputs_compared": verdict.outputs,
        "faults": [{"line": fault.line, "text": fault.text} for fault in verdict.faults],
        "notes": list(verdict.notes),
        "ledger": verdict.ledger or None,
        "signed_by": verdict.signed or None,
    }


def _print(verdict: Verdict, *, checked: bool) -> None:
    for note in verdict.notes[:_MOST]:
        print_line(f"note: {note}")
    if len(verdict.notes) > _MOST:
        print_line(f"note: and {len(verdict.notes) - _MOST} more notes (--json has all)")
    if verdict.whole:
        outputs = f", {counted(verdict.outputs, 'output')} as written" if verdict.outputs else ""
        agrees = f", {verdict.ledger} agrees" if verdict.ledger else ""
        found = f"{counted(verdict.records, 'record')}{outputs}{agrees}; head {verdict.head}"
        if verdict.signed:
            found += f"; signed by {verdict.signed[:12]}...{'' if checked else ', which was not checked'}"
        print(visible(f"{verdict.log} is whole: {found}"))
        return
    print(visible(f"{verdict.log} is not whole: {verdict.faults[0]}"))
    for fault in verdict.faults[1:_MOST]:
        print_line(f"also: {fault}")
    if len(verdict.faults) > _MOST:
        print_line(f"and {len(verdict.faults) - _MOST} more (--json has all)")


def rows(found: LogEntry) -> list[tuple[str, str]]:
    """A record in lines for people."""
    record: AuditRecord = found.record
    edit = record.edit
    whole = "" if found.whole else "; CHANGED since it was written"
    session = record.session
    place = record.input.place or (edit.input_name if session else None) or "from memory"
    masks = "; ".join(f"{mask.place} ({mask.sha256[:12]}...)" for mask in record.masks)
    models = "; ".join(f"{model.name} ({model.licence or 'licence not known'})" for model in record.models)
    machine = f"{edit.execution.device}{', exact' if edit.execution.exact else ''}, Overpaint {edit.overpaint}"
    seed = "" if edit.resolved.seed is None else f"; seed {edit.resolved.seed}"
    who = record.who.words
    lines = [
        ("record", f"{found.link.id}, line {found.link.n} of {found.log}{whole}"),
        ("made", f"{record.made} in {sum(edit.timings.values()):.2f} s{f' by {who}' if who else ''}"),
        ("input", f"{place} ({(record.input.sha256 or record.input.pixels_sha256)[:12]}...)"),
        ("mask", masks or (f"in the request ({edit.mask_sha256[:12]}...)" if edit.mask_sha256 else "none")),
        ("output", f"{record.output.place} ({record.output.sha256[:12]}..., {record.output.bytes:,} bytes)"),
        *([] if session is None else [("session", f"{session.place}, action {session.number}")]),
        ("edit", f"{edit.resolved.intent} with {models}{seed}; reach {record.output.reach} px"),
        ("ran on", machine),
        ("attempt", str(record.attempt)),
    ]
    prompt = record.hidden.get("prompt") or edit.resolved.prompt
    lines += [*([("prompt", prompt)] if prompt else []), *(("note", note) for note in edit.notes)]
    return lines
