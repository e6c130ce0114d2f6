"""Signed logs: nobody without the key can write one, and a key can't be left out or changed in silence."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overpaint.audit import (
    AuditKey,
    AuditLog,
    AuditRecord,
    ChainHead,
    LogCheckpoint,
    LogNote,
    Operator,
    Verdict,
    Witness,
    _log,
    entries,
    head_path,
    read_head,
    verify,
)
from overpaint.audit._head import HeadFile, head_file, write_head
from overpaint.audit._line import LONGEST, line_of, record_text
from overpaint.cli import main
from overpaint.errors import CredentialsError, MissingExtraError, OutputError
from test_audit_log import first_fault, lines, made_in, nth, one, rewrite

pytest.importorskip("cryptography")
__all__ = ["one"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[AuditKey, AuditKey]:
    folder = tmp_path_factory.mktemp("keys")
    return AuditKey.make(folder / "a.key"), AuditKey.make(folder / "b.key")


@pytest.fixture
def signed(tmp_path: Path, one: AuditRecord, keys: tuple[AuditKey, AuditKey], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signed log of seven edits, with a checkpoint after the third and after the sixth line or so."""
    monkeypatch.setattr(_log, "_SIGNED_EVERY", 3)
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=keys[0])
    for n in range(1, 8):
        log.append(nth(one, n))
    return path


def faults(log: Path, *keys: AuditKey, **more: Any) -> list[str]:
    return [str(fault) for fault in verify(log, keys=keys, files=False, **more).faults]


def anew(log: Path, key: AuditKey | None = None, *, without: int | None = None) -> None:
    """Chain all lines anew, one of them left out; sign the head with a key."""
    end, made = ChainHead(), []
    for n, line in enumerate(lines(log), 1):
        if n != without:
            text, end = line_of(record_text(line[:-1]).decode(), end)
            made.append(text)
    log.write_bytes(b"".join(made))
    write_head(log, HeadFile.of(end, key=key))


class TestKeys:
    def test_a_pair_is_made_once_for_its_owner_and_is_read_again(self, tmp_path):
        made = AuditKey.make(tmp_path / "k")
        assert (tmp_path / "k").stat().st_mode & 0o077 == 0
        private, public = AuditKey.read(tmp_path / "k"), AuditKey.read(tmp_path / "k.pub")
        assert private.public == public.public == made.public
        assert (private.signs, public.signs) == (True, False)
        assert "PRIVATE" not in repr(private)
        with pytest.raises(OutputError, match="exists already"):
            AuditKey.make(tmp_path / "k")

    def test_a_signature_has_one_form(self, keys):
        signature = keys[0].sign({"a": 1})
        assert keys[0].checks(signature, {"a": 1})
        for other in (signature.upper(), f" {signature}", f"{signature}\n", signature[:-1]):
            assert not keys[0].checks(other, {"a": 1})

    def test_keys_of_openssl_are_read_and_others_refused(self, tmp_path):
        from cryptography.hazmat.primitives import serialization as forms
        from cryptography.hazmat.primitives.asymmetric import ec

        other = ec.generate_private_key(ec.SECP256R1())
        plain = forms.NoEncryption()
        (tmp_path / "ec").write_bytes(other.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, plain))
        (tmp_path / "no").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        os.mkfifo(tmp_path / "pipe")
        for name in ("ec", "no"):
            (tmp_path / name).chmod(0o600)
        for name, words in (
            ("ec", "another kind than Ed25519"),
            ("no", "no key without a password"),
            ("pipe", "no regular file"),
            ("nowhere", "can't be read"),
        ):
            with pytest.raises(CredentialsError, match=words):
                AuditKey.read(tmp_path / name)

    def test_without_the_library_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
        with pytest.raises(MissingExtraError, match=r"overpaint\[audit\]"):
            AuditKey.make(tmp_path / "k")


class TestSignatures:
    def test_a_signed_log_is_whole_and_has_checkpoints(self, signed, keys):
        assert faults(signed, keys[0]) == []
        assert verify(signed, files=False).signed == keys[0].public
        kinds = [json.loads(record_text(line[:-1]))["kind"] for line in lines(signed)]
        assert kinds.count("checkpoint") >= 2
        assert kinds.count("edit") == 7

    @pytest.mark.parametrize("key", [None, 1])
    def test_a_log_that_was_chained_anew_is_found(self, signed, keys, key):
        """Without a key, and with another one."""
        anew(signed, None if key is None else keys[key], without=2)
        assert any("it is the signature of another chain" in fault for fault in faults(signed))
        found = faults(signed, keys[0])
        said = "audit.head is not signed" if key is None else "audit.head: it is signed by another key"
        assert any(fault.startswith(said) for fault in found)

    def test_checkpoints_left_out_do_not_help(self, signed, keys):
        edits = [line for line in lines(signed) if b'"kind":"edit"' in line]
        signed.write_bytes(b"".join(edits))
        anew(signed)
        assert faults(signed) == []
        assert faults(signed, keys[0]) == ["audit.head is not signed: whether the chain was made anew can't be known"]

    @pytest.mark.parametrize("how", ["unsigned", "deleted", "checkpoint"])
    def test_a_log_that_is_cut_at_a_checkpoint_is_found(self, signed, keys, how):
        """Its signature is of a checkpoint, and not of an end."""
        place = next(n for n, line in enumerate(lines(signed), 1) if b'"kind":"checkpoint"' in line)
        rewrite(signed, lambda all: all[:place])
        last = json.loads(lines(signed)[-1])
        end = ChainHead(place, last["hash"])
        if how == "deleted":
            head_path(signed).unlink()
        elif how == "checkpoint":
            record = last["record"]
            rewrite(signed, lambda all: all[: place - 1])
            end = ChainHead(record["count"], record["hash"])
            write_head(signed, HeadFile(end, (), record["made"], record["key"], record["signature"]))
        else:
            write_head(signed, HeadFile(end))
        found = faults(signed, keys[0])
        wanted = {"checkpoint": "its signature is not that of its content"}.get(how, "audit.head is not signed")
        assert any(wanted in fault for fault in found)

    def test_any_change_of_a_signed_head_is_found(self, signed, keys):
        head, _ = head_file(signed)
        for changed in (
            replace(head, end=ChainHead(head.end.count - 1, head.end.hash)),
            replace(head, made="2026-01-01T00:00:00.000Z"),
            replace(head, next=("a" * 64,)),
            replace(head, key=keys[1].public),
            replace(head, signature="0" * 128),
            replace(head, signature="zz"),
        ):
            write_head(signed, changed)
            assert faults(signed, keys[0])

    def test_an_emptied_log_is_not_whole_where_a_key_is_asked_for(self, signed, keys):
        signed.write_bytes(b"")
        head_path(signed).unlink()
        assert faults(signed, keys[0]) == ["audit.head is not signed: whether the chain was made anew can't be known"]

    def test_an_older_signed_log_is_right_in_itself_and_a_head_from_elsewhere_tells(self, signed, keys, one):
        before = signed.read_bytes(), head_path(signed).read_bytes()
        known = AuditLog(signed, key=keys[0]).append(nth(one, 8))
        signed.write_bytes(before[0])
        head_path(signed).write_bytes(before[1])
        assert faults(signed, keys[0]) == []
        assert faults(signed, keys[0], expected=str(known)) == [
            f"the chain never had the head {known} that was expected"
        ]


class TestAppending:
    def test_a_signed_log_takes_no_line_without_its_key(self, signed, one, keys):
        with pytest.raises(OutputError, match="is signed, and there is no key"):
            AuditLog(signed).append(nth(one, 8))
        with pytest.raises(OutputError, match="it is signed by another key"):
            AuditLog(signed, key=keys[1]).append(nth(one, 8))

    def test_what_was_chained_anew_is_not_signed_by_the_next_append(self, signed, one, keys):
        anew(signed, without=2)
        with pytest.raises(OutputError, match="is not whole"):
            AuditLog(signed, key=keys[0]).append(nth(one, 8))

    def test_an_announcement_that_is_not_signed_is_not_taken(self, signed, one, keys):
        head = read_head(signed)
        line, end = line_of(nth(one, 99).to_json(), head)
        rewrite(signed, lambda all: [*all, line])
        write_head(signed, HeadFile(head, (end.hash,)))
        with pytest.raises(OutputError, match=r"audit\.head is not signed"):
            AuditLog(signed, key=keys[0]).append(nth(one, 8))

    def test_an_interrupted_append_is_finished_with_the_key(self, signed, one, keys):
        head = read_head(signed)
        after = AuditLog(signed, key=keys[0]).append(nth(one, 8))
        write_head(signed, HeadFile.of(head, (after.hash,), keys[0]))
        AuditLog(signed, key=keys[0]).append(nth(one, 9))
        assert faults(signed, keys[0]) == []

    def test_an_unsigned_log_takes_a_signature_only_when_told(self, tmp_path, one, keys):
        path = tmp_path / "audit.jsonl"
        AuditLog(path).append(nth(one, 1))
        log = AuditLog(path, key=keys[0])
        with pytest.raises(OutputError, match=r"audit\.head is not signed"):
            log.append(nth(one, 2))
        log.accept_faults()
        log.append(nth(one, 2))
        assert faults(path, keys[0]) == [
            "line 2: a note in the log says that it was gone on with over a fault, by "
            f"{Operator.here().words}: audit.head is not signed: whether the chain was made anew can't be known"
        ]

    def test_after_a_change_of_keys_both_are_given(self, signed, one, keys):
        log = AuditLog(signed, key=keys[1])
        log.accept_faults()
        log.append(nth(one, 8))
        assert len(faults(signed, *keys)) == 1, "the note on what was accepted"
        assert any("signed by another key" in fault for fault in faults(signed, keys[1]))

    def test_a_public_key_signs_nothing(self, tmp_path, keys):
        with pytest.raises(OutputError, match="a public one, which signs nothing"):
            AuditLog(tmp_path / "audit.jsonl", key=AuditKey(keys[0].public))


class TestHostileLogs:
    """A log that was made to hurt is named, in bounded time and memory."""

    def verdict(self, log: Path, *records: str) -> Verdict:
        end, made = ChainHead(), []
        for record in records:
            line, end = line_of(record, end)
            made.append(line)
        log.write_bytes(b"".join(made))
        write_head(log, HeadFile(end))
        return verify(log)

    def edit(self, **output: Any) -> str:
        return json.dumps({"input": {}, "kind": "edit", "output": output}, separators=(",", ":"), sort_keys=True)

    @pytest.mark.parametrize(
        "record",
        [
            "[" * 100_000,
            '{"kind":' + "[" * 50_000,
            '{"kind":"edit","output":5}',
            '{"kind":"note","what":"torn"}',
            '{"kind":"checkpoint","count":"x"}',
            '{"kind":"edit","input":{},"output":{"place":' + "1" * 5000 + "}}",
            "7",
            "",
        ],
    )
    def test_what_is_no_record(self, tmp_path, record):
        verdict = self.verdict(tmp_path / "audit.jsonl", record)
        assert "it was made by hand" in str(verdict.faults[0]) or "it was changed" in str(verdict.faults[0])

    @pytest.mark.parametrize("place", ["\0", "/dev/zero", "pipe", ".", "x" * 5000])
    def test_places_that_can_not_be_read(self, tmp_path, place):
        os.mkfifo(tmp_path / "pipe")
        log = tmp_path / "audit.jsonl"
        verdict = self.verdict(log, self.edit(place=place, sha256="0" * 64))
        assert verdict.faults or verdict.notes
        assert verdict.outputs == 0
        witness = Witness("ledger", read_head(log), own=True, files=frozenset())
        assert "pipe is not in the log" in verify(log, witness=lambda: witness).notes or place == "pipe"

    def test_digests_that_are_no_texts(self, tmp_path):
        (tmp_path / "a").write_bytes(b"")
        verdict = self.verdict(tmp_path / "audit.jsonl", self.edit(place="a", sha256=[1], pixels_sha256={}))
        assert "its output a was changed since" in str(verdict.faults[0])

    def test_a_file_that_is_no_log_at_all_is_not_read_to_its_end(self, tmp_path):
        (tmp_path / "audit.jsonl").write_bytes(b"x\n" * 100_000)
        verdict = verify(tmp_path / "audit.jsonl")
        assert len(verdict.faults) < 1010
        assert "1,000 faults are enough" in " ".join(map(str, verdict.faults))

    def test_a_line_without_an_end_is_read_in_bounded_memory(self, tmp_path, one):
        log = tmp_path / "audit.jsonl"
        AuditLog(log).append(nth(one, 1))
        with log.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.truncate(file.tell() + 40 * LONGEST)  # a sparse file
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
        code = (
            "import resource, sys; from pathlib import Path; from overpaint.audit import verify;"
            "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30));"
            "print(verify(Path(sys.argv[1]), files=False).faults[0])"
        )
        said = subprocess.run([sys.executable, "-c", code, str(log)], capture_output=True, text=True, check=True)
        assert said.stdout.startswith("line 2: it was changed")
        with pytest.raises(OutputError, match="line 2: it was changed"):
            AuditLog(log).append(nth(one, 2))

    @pytest.mark.parametrize("name", ["audit.jsonl", "audit.head"])
    @pytest.mark.parametrize("kind", ["pipe", "folder"])
    def test_a_log_or_head_that_is_no_file_is_not_waited_for(self, tmp_path, one, name, kind):
        log = tmp_path / "audit.jsonl"
        AuditLog(log).append(nth(one, 1))
        (tmp_path / name).unlink()
        (os.mkfifo if kind == "pipe" else Path.mkdir)(tmp_path / name)
        assert "no regular file" in " ".join(map(str, verify(log).faults))
        with pytest.raises(OutputError):
            AuditLog(log).append(nth(one, 2))
        with pytest.raises(OutputError):
            AuditLog(log).check()

    def test_a_planted_link_for_the_hidden_head_is_not_followed(self, tmp_path, one):
        victim = tmp_path / "victim"
        victim.write_text("mine")
        (tmp_path / ".audit.head.tmp").symlink_to(victim)
        AuditLog(tmp_path / "audit.jsonl").append(nth(one, 1))
        assert victim.read_text() == "mine"
        assert verify(tmp_path / "audit.jsonl").head.count == 1

    def test_what_a_terminal_would_obey_is_printed_as_codes(self, tmp_path, capsys):
        self.verdict(tmp_path / "audit.jsonl", self.edit(place="\x1b[2Jx\r\x9b", sha256="0" * 64))
        main(["audit", "verify", str(tmp_path)])
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\\x1b[2Jx" in out

    def test_the_ledger_may_be_anything(self, tmp_path, one, capsys):
        log = tmp_path / "audit.jsonl"
        AuditLog(log).append(nth(one, 1))
        (tmp_path / ".overpaint").mkdir()
        ledger = tmp_path / ".overpaint" / "ledger.sqlite"
        for content in (b"no database", b""):
            ledger.write_bytes(content)
            assert main(["audit", "verify", str(tmp_path)]) == 1
            assert "ledger" in capsys.readouterr().out + capsys.readouterr().err
        ledger.unlink()
        os.mkfifo(ledger)
        assert main(["audit", "verify", str(tmp_path)]) == 1

    def test_a_witness_that_knows_another_log_says_so(self, tmp_path, one):
        log = tmp_path / "audit.jsonl"
        AuditLog(log).append(nth(one, 1))
        assert "ledger does not know this log" in verify(log, witness=lambda: Witness("ledger", None)).notes[0]


class TestWho:
    def test_it_is_the_account_and_what_the_environment_claims_is_told_apart(self, monkeypatch):
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.delenv(name, raising=False)
        plain = Operator.here()
        assert plain.uid == os.getuid()
        assert plain.claimed is None
        monkeypatch.setenv("LOGNAME", "someone-else")
        claimed = Operator.here()
        assert (claimed.user, claimed.uid) == (plain.user, plain.uid)
        assert claimed.claimed == "someone-else"
        assert claimed.words.endswith(", LOGNAME says someone-else")

    def test_an_account_without_a_name_has_its_number(self, monkeypatch):
        monkeypatch.setattr(os, "getuid", lambda: 987_654)
        assert Operator.here().user is None
        assert Operator.here().words.startswith("uid 987654")

    def test_it_is_in_the_record_and_shown(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("LOGNAME", "eve")
        log = made_in(tmp_path)
        record = next(entries(log)).record
        assert (record.who.uid, record.who.claimed) == (os.getuid(), "eve")
        main(["audit", "show", str(tmp_path / "out.png")])
        assert "LOGNAME says eve" in capsys.readouterr().out


def test_a_checkpoint_is_a_line_that_older_readers_skip(signed, keys):
    assert [entry.record.attempt for entry in entries(signed)] == [1, 2, 3, 4, 5, 6, 7]
    assert LogCheckpoint.of(ChainHead(3, "a" * 64), keys[0]).is_signed_by(keys[0])
    assert not LogNote.of("torn", "x").faults


def test_a_ledger_that_is_read_is_not_changed(tmp_path, one):
    from overpaint.ledger import Ledger

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.keep_log_end("a", 3, "b" * 64)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with Ledger(tmp_path / "ledger.sqlite", read_only=True) as ledger:
        assert ledger.log_end("a") == (3, "b" * 64)
        assert ledger.log_end("b") is None
        with pytest.raises(Exception, match=r"readonly|read-only"):
            ledger.keep_log_end("a", 4, "b" * 64)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert sqlite3.sqlite_version


def test_the_first_fault_is_still_that_of_the_chain(signed):
    rewrite(signed, lambda all: all[1:])
    assert first_fault(signed).startswith("line 1: line 1 is missing")
