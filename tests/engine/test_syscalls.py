"""The numbers in the box's table of system calls are the kernel's.

`system_calls.txt` holds the kernel's own numbers; where its headers are installed, they are compared with that file.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airloom.engine import syscalls

KERNEL = Path(__file__).with_name("system_calls.txt")
HEADERS = {"x86_64": "asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}
SPECIAL = ("mmap", "clone", "fcntl", "ioctl", "prctl", "prlimit64", "kill", "tgkill", "seccomp")
DEFINED = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", re.MULTILINE)
ALIASES = re.compile(r"^#define __NR_(\w+) __NR3264_(\w+)$", re.MULTILINE)
MACHINES = tuple(syscalls._NUMBERS)


def table() -> list[tuple[str, str, int]]:
    """Return machine, name and number of each call that the box names."""
    rows = [row.split() for row in syscalls._ALLOWED.replace("\n", " ").split(",")]
    found = [
        (machine, row[0], int(row[at])) for row in rows for at, machine in enumerate(MACHINES, 1) if row[at] != "-"
    ]
    for machine, numbers in syscalls._NUMBERS.items():
        found += [(machine, name, number) for name, number in zip(SPECIAL, numbers, strict=True)]
    return found


def kernel() -> dict[tuple[str, str], int]:
    """Return the numbers of the file, by machine and name."""
    lines = [line.split() for line in KERNEL.read_text().splitlines() if line and not line.startswith("#")]
    return {
        (machine, name): int(number)
        for name, *numbers in lines
        for machine, number in zip(MACHINES, numbers, strict=True)
        if number != "-"
    }


def numbers_of(header: str) -> dict[str, int]:
    """Return the numbers that a header of the kernel defines, by name."""
    numbers = {name: int(number) for name, number in DEFINED.findall(header)}
    numbers |= {name: numbers[meant] for name, meant in ALIASES.findall(header) if meant in numbers}
    return numbers


def header(machine: str) -> Path | None:
    """Return the header of a machine, where it is installed."""
    folders = [Path("/usr/include"), *sorted(Path("/usr/include").glob("*-linux-gnu"))]
    return next((path for folder in folders if (path := folder / HEADERS[machine]).is_file()), None)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_is_the_kernel_s(machine: str) -> None:
    known = kernel()
    named = [(name, number) for where, name, number in table() if where == machine]
    assert len(named) > 100
    assert dict(named) == {name: known.get((machine, name)) for name, _ in named}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_is_left_out_on_a_machine_that_has_it(machine: str) -> None:
    named = {name for where, name, _ in table() if where == machine}
    everywhere = {name for _, name, _ in table()}
    assert {name for where, name in kernel() if where == machine and name in everywhere} == named


def test_no_number_stands_twice() -> None:
    numbers = [(machine, number) for machine, _, number in table()]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("machine", MACHINES)
def test_the_file_is_what_the_headers_say(machine: str) -> None:
    path = header(machine)
    if path is None:
        pytest.skip("the kernel's headers are not installed: apt-get install linux-libc-dev")
    defined = numbers_of(path.read_text())
    told = {name: number for (where, name), number in kernel().items() if where == machine}
    assert told == {name: defined.get(name) for name in told}


if __name__ == "__main__":
    found = {machine: numbers_of(path.read_text()) for machine in MACHINES if (path := header(machine)) is not None}
    print("# SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note")
    print("# Numbers of system calls, from the headers of Linux that user space compiles against (linux-libc-dev):")
    print(f"# name, then the number on {' and '.join(f'{machine} ({HEADERS[machine]})' for machine in MACHINES)}.")
    print("# Written by: python tests/engine/test_syscalls.py > tests/engine/system_calls.txt")
    for name in sorted({name for _, name, _ in table()}):
        print(name, *(found[machine].get(name, "-") for machine in MACHINES))
