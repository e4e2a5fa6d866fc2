"""The one place that makes asyncio tasks: named, kept until done, their failures never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_kept: set[asyncio.Task[Any]] = set()


def spawn(
    work: Coroutine[Any, Any, T],
    *,
    name: str,
    on_error: Callable[[BaseException], None] | None = None,
) -> asyncio.Task[T]:
    """Start ``work`` as a named task that cannot be garbage-collected before it ends.

    Args:
        work: the coroutine.
        name: shown in debug output and logs.
        on_error: called in the loop's thread with the exception when the task fails (not when it
            is cancelled). Without it the loop's exception handler gets the failure.

    Returns:
        The task; awaiting it is allowed but not needed.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    _kept.add(task)

    def done(ended: asyncio.Task[T]) -> None:
        _kept.discard(ended)
        if ended.cancelled():
            return
        error = ended.exception()
        if error is None:
            return
        if on_error is not None:
            on_error(error)
        else:
            ended.get_loop().call_exception_handler(
                {"message": f"task {ended.get_name()} failed", "exception": error, "task": ended}
            )

    task.add_done_callback(done)
    return task
