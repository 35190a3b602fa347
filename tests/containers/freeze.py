"""Stops single threads of a process, as a debugger does, while its others go on."""

import ctypes
import os
import pathlib
import time

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def trace(request, thread):
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), None, None) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def freeze(pid, name):
    """Stops the threads of this name, until the process or this one ends."""
    threads = [
        int(thread.name)
        for thread in pathlib.Path(f'/proc/{pid}/task').iterdir()
        if (thread / 'comm').read_text().strip() == name
    ]
    assert threads, f'{pid} has no thread {name}'
    for thread in threads:
        trace(PTRACE_SEIZE, thread)
        trace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
    return threads


def reap(threads, seconds):
    """Waits for the end of frozen threads, without which their process cannot end; whether it came in time."""
    deadline = time.monotonic() + seconds
    left = set(threads)
    while left and time.monotonic() < deadline:
        left = {thread for thread in left if not has_ended(thread)}
        time.sleep(0.05)
    return not left


def has_ended(thread):
    try:
        found, status = os.waitpid(thread, WALL | os.WNOHANG)
    except ChildProcessError:
        return True
    return found == thread and not os.WIFSTOPPED(status)
