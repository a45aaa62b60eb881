"""A filter of system calls for one process: what pure work on data needs, and nothing else.

No socket, no other process, no signal or trace to one, no change of rights, owners or times of files, no namespace, no
shared memory. The kernel (seccomp) keeps it for good: nothing that the process does can open it again.

Imports the standard library alone, for it runs in the box's own interpreter.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable

# Name, number on x86_64, number on aarch64, from Linux's unistd.h. On the list is what reads and writes open files,
# opens files (which ones, the file walls say), looks after this process's memory, threads, clocks and signals.
_ALLOWED = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
open 2 -, openat 257 56, close 3 57, close_range 436 436, lseek 8 62, stat 4 -, fstat 5 80, lstat 6 -,
newfstatat 262 79, statx 332 291, access 21 -, faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78,
getdents 78 -, getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50, mkdir 83 -, mkdirat 258 34, rmdir 84 -,
unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, ftruncate 77 46, fallocate 285 47,
fsync 74 82, fdatasync 75 83, flock 73 32, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, poll 7 -,
ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
epoll_wait 232 -, epoll_pwait 281 22, eventfd 284 -, eventfd2 290 19, sendfile 40 71, copy_file_range 326 285,
statfs 137 43, fstatfs 138 44, umask 95 166, fadvise64 221 223,
munmap 11 215, mremap 25 216, mprotect 10 226, madvise 28 233, brk 12 214, mincore 27 232, membarrier 324 283,
futex 202 98, set_robust_list 273 99, set_tid_address 218 96, rseq 334 293, exit 60 93, exit_group 231 94,
gettid 186 178, getpid 39 172, getppid 110 173, getpgrp 111 -, getpgid 121 155, getsid 124 156, sched_yield 24 124,
sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120, sched_get_priority_max 146 125,
sched_get_priority_min 147 126, getcpu 309 168, wait4 61 260, arch_prctl 158 -,
nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169,
time 201 -, times 100 153, getitimer 36 102, setitimer 38 103, alarm 37 -, pause 34 -, timer_create 222 107,
timer_settime 223 110, timer_gettime 224 108, timer_delete 226 111, timer_getoverrun 225 109, timerfd_create 283 85,
timerfd_settime 286 86, timerfd_gettime 287 87,
getrusage 98 165, getrlimit 97 163, sysinfo 99 179, uname 63 160, getrandom 318 278, getuid 102 174, geteuid 107 175,
getgid 104 176, getegid 108 177, getresuid 118 148, getresgid 120 150, getgroups 115 158,
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigsuspend 130 133,
rt_sigtimedwait 128 137, sigaltstack 131 132, restart_syscall 219 128, signalfd 282 -, signalfd4 289 74
"""
# These are allowed for some arguments only.
_MMAP, _CLONE, _FCNTL, _IOCTL, _PRCTL, _PRLIMIT, _KILL, _TGKILL, _SECCOMP = range(9)
_NUMBERS = {
    "x86_64": (9, 56, 72, 16, 157, 302, 62, 234, 317),
    "aarch64": (222, 220, 25, 29, 167, 261, 129, 131, 277),
}
_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
# Calls from Linux 5.1 on have the same numbers everywhere. Libraries know how to live without them.
_YOUNG = 424

# What memory is bounded by does not count: shared anonymous memory, stacks that grow, huge pages.
_MAP_SHARED_ANONYMOUS = 0x21
_MAP_UNCOUNTED = (0x0100, 0x40000)
_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020000
# Duplicates, flags, locks, the size of a pipe; not: whom to send a signal to.
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX.
_IOCTL_COMMANDS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_PRCTL_SET_NAME, _PRCTL_GET_NAME = 15, 16

_LOAD, _EQUAL, _AT_LEAST, _SET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS
_KILL_PROCESS = 0x80000000
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4

Instruction = tuple[int, int, int, int]
"""One instruction of the kernel's filter machine: code, jump if true, jump if false, operand."""


def filter_system_calls() -> None:
    """Let this process, all its threads, make no other system calls; raise OSError where the kernel has no filters."""
    machine = platform.machine()
    if machine not in _NUMBERS:
        raise OSError(errno.ENOSYS, f"system calls of {machine} are not known here")
    program = _program(machine)
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer)), 16)
    set_filter, all_threads = 1, 1
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(_NUMBERS[machine][_SECCOMP])
    if libc.syscall(number, ctypes.c_long(set_filter), ctypes.c_long(all_threads), header) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _program(machine: str) -> list[Instruction]:
    column = list(_NUMBERS).index(machine) + 1
    rows = [row.split() for row in _ALLOWED.replace("\n", " ").split(",")]
    allowed = sorted({int(row[column]) for row in rows if row[column] != "-"})
    numbers = _NUMBERS[machine]
    own = os.getpid()
    blocks = {
        numbers[_MMAP]: _unless_flags(3, _MAP_SHARED_ANONYMOUS, _MAP_UNCOUNTED),
        numbers[_CLONE]: _threads_only(),
        numbers[_FCNTL]: _one_of(1, _FCNTL_COMMANDS),
        numbers[_IOCTL]: _one_of(1, _IOCTL_COMMANDS),
        numbers[_PRCTL]: _one_of(0, (_PRCTL_SET_NAME, _PRCTL_GET_NAME)),
        numbers[_PRLIMIT]: _reading_own_limits(),
        numbers[_KILL]: _one_of(0, (own,)),
        numbers[_TGKILL]: _one_of(0, (own,)),
    }
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _AUDIT_ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for number in allowed:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number, block in blocks.items():
        program += [(_EQUAL, 0, len(block), number), *block]
    return [*program, (_AT_LEAST, 0, 1, _YOUNG), (_RETURN, 0, 0, _UNKNOWN), (_RETURN, 0, 0, _REFUSE)]


def _argument(index: int, *, high: bool = False) -> Instruction:
    return _LOAD, 0, 0, 16 + 8 * index + (4 if high else 0)


def _one_of(index: int, values: Iterable[int]) -> list[Instruction]:
    # The kernel takes these arguments as 32 bits, too.
    tests = [part for value in values for part in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))]
    return [_argument(index), *tests, (_RETURN, 0, 0, _REFUSE)]


def _unless_flags(index: int, together: int, alone: Iterable[int]) -> list[Instruction]:
    tests = [part for flag in alone for part in ((_SET, 0, 1, flag), (_RETURN, 0, 0, _REFUSE))]
    return [
        _argument(index),
        *tests,
        (_AND, 0, 0, together),
        (_EQUAL, 0, 1, together),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _threads_only() -> list[Instruction]:
    return [
        _argument(0),
        (_SET, 0, 1, _CLONE_NAMESPACES),
        (_RETURN, 0, 0, _REFUSE),
        (_SET, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _reading_own_limits() -> list[Instruction]:
    # prlimit(0, …, new = null, …)
    return [
        _argument(0),
        (_EQUAL, 0, 5, 0),
        _argument(2),
        (_EQUAL, 0, 3, 0),
        _argument(2, high=True),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
