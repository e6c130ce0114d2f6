"""The ledger: jobs that wait, run, are done or failed. One SQLite table on a local disk, for batches and the server.

States of a job:

    waiting ── claim ──▶ leased ── finish ──▶ finished ── done ──▶ done
       ▲                    │                │ │ ▲
       └── fail, release, ──┴── fail ──▶ failed│ └─┼─ set_aside ──▶ needs-review
           lease over                      ▲   │   └─── decide ──────────┘
                                           └───┴ reject

A lease holds a job for a worker until a time; the worker renews it or finishes before. One whose lease is over has lost
the job, and gets LeaseLostError. "finished" is the point of no return: the result is on the disk under a temporary
name, and what is left to do (its final name, the audit) is in the job's `line`, so that it can be done after a crash.
"needs-review" is a result that a person has to look at; its `line` is what is left to do once it is accepted.

Only the process that runs the jobs changes them. Another one leaves a person's decision, which that one takes.

Safe for threads and processes; every change is one transaction, on the disk when the call returns.
"""

from __future__ import annotations

from ._jobs import Job, LeaseLostError, LedgerEntry, LeftDecision, State
from ._ledger import Ledger

__all__ = ["Job", "LeaseLostError", "Ledger", "LedgerEntry", "LeftDecision", "State"]
