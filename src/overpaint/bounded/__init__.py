"""Work on files that nobody vouches for, in child processes within limits of time and memory.

A decoder may run for ever, take all memory, or crash; in a process of its own it can be killed, and the caller goes on.
`BoundedPool` keeps such processes warm, `MemoryBudget` shares memory between the edits in flight. The batch runner
reads its files so; a server should read its uploads so. For what only waits, as a read may, `outcomes` and
`call_in_time` are enough: calls on threads that are left behind.
"""

from .budget import MemoryBudget, MemoryShare
from .in_time import call_in_time, outcomes
from .pool import BoundedPool, needs_memory, working_on
from .printed import printed, prints_caught
from .shortage import is_shortage

__all__ = [
    "BoundedPool",
    "MemoryBudget",
    "MemoryShare",
    "call_in_time",
    "is_shortage",
    "needs_memory",
    "outcomes",
    "printed",
    "prints_caught",
    "working_on",
]
