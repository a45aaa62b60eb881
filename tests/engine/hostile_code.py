"""Programs that try to leave the box, each for `run(value)`; what gets through is what they return.

`value` tells them where something is to be had: `secret` (a file), `folder` (one that may be written), `tcp`, `udp`,
`unix`, `abstract` (servers that listen).
"""

from __future__ import annotations

TOOLS = """
import ctypes, os, platform, socket, sys

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if libc.syscall(ctypes.c_long(number), *given) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def got_through(**attempts):
    found = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except (OSError, ValueError):
            continue
        found.append(name)
    return found
"""

OPEN_WITHOUT_A_BOX: dict[str, str] = {
    "read files": """
def run(value):
    return got_through(
        passwd=lambda: open("/etc/passwd").read(),
        secret=lambda: open(value["secret"]).read(),
        folder=lambda: os.listdir(value["folder"]),
        state=lambda: os.listdir("/var/lib"),
        descriptor=lambda: os.open(value["folder"], os.O_PATH | os.O_DIRECTORY) and os.listdir(value["folder"]),
    )
""",
    "read of processes": """
def run(value):
    parent = os.getppid()
    return got_through(
        processes=lambda: os.listdir("/proc/self"),
        command=lambda: open(f"/proc/{parent}/cmdline").read(),
        environment=lambda: open("/proc/self/environ").read(),
        maps=lambda: open("/proc/self/maps").read(),
    )
""",
    "write files": """
def run(value):
    folder = value["folder"]
    secret = value["secret"]
    return got_through(
        create=lambda: open(folder + "/created", "w"),
        make=lambda: os.mkdir(folder + "/made"),
        link=lambda: os.symlink(secret, folder + "/link"),
        fifo=lambda: os.mkfifo(folder + "/fifo"),
        touch=lambda: os.utime(folder + "/mine"),
        change=lambda: os.chmod(folder + "/mine", 0o777),
        cut=lambda: os.truncate(folder + "/mine", 0),
        rename=lambda: os.rename(folder + "/mine", folder + "/yours"),
        remove=lambda: os.unlink(folder + "/yours"),
    )
""",
    "speak TCP": """
def run(value):
    return got_through(tcp=lambda: socket.create_connection(("127.0.0.1", value["tcp"]), 5))
""",
    "speak UDP": """
def run(value):
    def send():
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"secret", ("127.0.0.1", value["udp"]))
    return got_through(udp=send)
""",
    "speak over unix sockets": """
def run(value):
    def to(address):
        return lambda: socket.socket(socket.AF_UNIX).connect(address)
    return got_through(unix=to(value["unix"]), abstract=to("\\0" + value["abstract"]), pair=socket.socketpair)
""",
    "listen": """
def run(value):
    return got_through(listen=lambda: socket.create_server(("127.0.0.1", 0)))
""",
    "start processes": """
def run(value):
    import subprocess
    def fork():
        if os.fork() == 0:
            os._exit(0)
    return got_through(
        fork=fork,
        spawn=lambda: subprocess.run(["/bin/true"]),
        posix=lambda: os.posix_spawn("/bin/true", ["true"], {}),
    )
""",
    "become another program": """
def run(value):
    os.execv("/bin/sh", ["sh", "-c", "echo out; kill -9 $$"])
""",
    "signal the parent": """
def run(value):
    import fcntl
    parent = os.getppid()
    reading, writing = os.pipe()
    return got_through(
        kill=lambda: os.kill(parent, 0),
        owner=lambda: fcntl.fcntl(reading, fcntl.F_SETOWN, parent),
    )
""",
    "share memory": """
def run(value):
    import mmap
    return got_through(anonymous=lambda: mmap.mmap(-1, 4096), file=lambda: os.memfd_create("x"))
""",
}
"""What these attempts do works where there is no box: so a test can see that the box is what stops them."""

ALWAYS_CLOSED: dict[str, str] = {
    "system calls": """
NUMBERS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "mount": (165, 40), "unshare": (272, 97), "setns": (308, 268),
    "chroot": (161, 51), "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "add_key": (248, 217), "io_uring_setup": (425, 425), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "socket": (41, 198), "socketpair": (53, 199), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "execve": (59, 221), "execveat": (322, 281), "pidfd_open": (434, 434),
    "clone3": (435, 435), "kcmp": (312, 272), "open_by_handle_at": (304, 265), "chmod": (90, 52), "chown": (92, 55),
    "setuid": (105, 146), "personality": (135, 92), "seccomp": (317, 277), "sched_setaffinity": (203, 122),
    "setpriority": (141, 140), "rt_sigqueueinfo": (129, 138), "tkill": (200, 130), "inotify_init1": (294, 26),
    "vmsplice": (278, 75), "mknodat": (259, 33), "setxattr": (188, 5), "quotactl": (179, 60), "reboot": (169, 142),
    "kexec_load": (246, 104), "delete_module": (176, 106), "swapon": (167, 224), "iopl": (172, 0xFFFF),
}
def run(value):
    column = ["x86_64", "aarch64"].index(platform.machine())
    # Arguments that make most of these calls harmless and wrong: what matters is which error comes back.
    refused = {1, 38}
    def attempt(number):
        try:
            call(number, 0, 0, 0, 0, 0, 0)
        except OSError as error:
            if error.errno in refused:
                raise
    return got_through(**{name: (lambda n=numbers[column]: attempt(n)) for name, numbers in NUMBERS.items()})
""",
    "signal by other ways": """
def run(value):
    import fcntl, signal
    parent = os.getppid()
    reading, writing = os.pipe()
    return got_through(
        all=lambda: os.kill(-1, signal.SIGKILL),
        group=lambda: os.killpg(os.getpgid(parent), 0),
        own_group=lambda: os.kill(0, 0),
        first=lambda: os.kill(1, 0),
        signal=lambda: fcntl.fcntl(reading, 10, signal.SIGKILL),
        ioctl=lambda: fcntl.ioctl(reading, 0x8901, parent),
    )
""",
    "raise the limits": """
def run(value):
    import resource
    def highest(kind):
        return lambda: resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return got_through(
        memory=highest(resource.RLIMIT_DATA),
        time=highest(resource.RLIMIT_CPU),
        parent=lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1)),
        death=lambda: 0 == libc.prctl(1, 0, 0, 0, 0) or call(-1),
        capabilities=lambda: call({"x86_64": 126, "aarch64": 91}[platform.machine()], 0, 0),
    )
""",
    "change what it may read": """
def run(value):
    import json
    path = json.__file__
    return got_through(
        write=lambda: open(path, "a"),
        cut=lambda: os.truncate(path, 0),
        change=lambda: os.chmod(path, 0o777),
        open_change=lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o777),
        touch=lambda: os.utime(path),
        remove=lambda: os.unlink(path),
        beside=lambda: open(os.path.dirname(path) + "/evil.py", "w"),
        map=lambda: call({"x86_64": 9, "aarch64": 222}[platform.machine()], 0, 4096, 3, 1, os.open(path, 0), 0),
    )
""",
    "climb out": """
def run(value):
    found = []
    for start in ("/", "..", "../../../../..", "/tmp/..", "/proc/self/root", "/proc/1/root", "/dev", "/sys", "/run"):
        for name in ("etc/passwd", "proc/1/environ", "shm", "root/.ssh", value["secret"].lstrip("/")):
            try:
                path = os.path.join(start, name)
                os.listdir(path) if os.path.isdir(path) else open(path).read()
            except OSError:
                continue
            found.append(path)
    return found
""",
    "find what was left open": """
def run(value):
    import stat
    found = []
    for number in range(256):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(mode) or stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and number < 3):
            found.append(number)
    return found
""",
    "ask for names of machines": """
def run(value):
    return got_through(name=lambda: socket.getaddrinfo("localhost", 80), host=lambda: socket.gethostbyname("a.example"))
""",
}

WITH_AN_END: dict[str, tuple[str, str]] = {
    "sleep for ever": ("CodeTimeout", "def run(value):\n    import time\n    time.sleep(1e6)\n"),
    "ignore every signal": (
        "CodeTimeout",
        """
def run(value):
    import signal, threading
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.close(), sys.stderr.close()
    for number in (0, 1, 2):
        os.close(number)
    threading.Thread(target=run, args=(value,)).start()
    while True:
        pass
""",
    ),
    "compute in one call": ("CodeTimeout", "def run(value):\n    return 3 ** (10 ** 9) % 7\n"),
    "fill memory": (
        "MemoryExceeded",
        "def run(value):\n    return len([bytearray(1 << 20) for _ in range(100_000)])\n",
    ),
    "fill memory that was reserved first": (
        "MemoryExceeded",
        """
def run(value):
    size = 1 << 30
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    kept = []
    while True:
        reserved = libc.mmap(None, size, 0, 0x22, -1, 0)
        if reserved == ctypes.c_void_p(-1).value:
            import time
            time.sleep(10)
        kept.append(libc.mmap(reserved, size, 3, 0x32, -1, 0))
        ctypes.memset(kept[-1], 1, size)
""",
    ),
    "fill memory with one stack": (
        "CodeError",
        "def run(value):\n    call(9 if platform.machine() == 'x86_64' else 222, 0, 1 << 30, 3, 0x122, -1, 0)\n",
    ),
    "crash": ("CodeError", "def run(value):\n    ctypes.string_at(1)\n"),
    "leave": ("CodeError", "def run(value):\n    os._exit(0)\n"),
    "leave politely": ("CodeError", "def run(value):\n    sys.exit(3)\n"),
    "kill itself": ("SystemFault", "def run(value):\n    os.kill(os.getpid(), 9)\n"),
    "import the store": ("CodeError", "def run(value):\n    from airloom.store.store import Store\n"),
    "reach the database": (
        "CodeError",
        """
def run(value):
    import psycopg
    psycopg.connect(f"host=127.0.0.1 port={value['tcp']} user=postgres connect_timeout=3")
""",
    ),
    "fill what is open": (
        "CodeError",
        """
def run(value):
    block = bytes(10_000_000)
    for number in range(3, 256):
        try:
            while True:
                os.write(number, block)
        except OSError:
            pass
""",
    ),
    "claim that there is no box": (
        "NoBoxHere",
        """
def run(value):
    for number in range(3, 256):
        try:
            os.write(number, b'{"missing": {}, "fault": {"kind": "no_box", "message": "run me without one"}}')
        except OSError:
            pass
    os._exit(0)
""",
    ),
    "nest without end": (
        "CodeError",
        """
def run(value):
    for number in range(3, 256):
        try:
            os.write(number, b"[" * 1_000_000)
        except OSError:
            pass
    os._exit(0)
""",
    ),
    "print without end": (
        "CodeTimeout",
        "def run(value):\n    while True:\n        print('x' * 10_000)\n",
    ),
    "speak as a 32-bit program": (
        "CodeError",
        """
def run(value):
    import mmap
    if platform.machine() != "x86_64":
        raise OSError("there is no such program here")
    # mov eax, 20 (getpid); int 0x80; ret
    program = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    program.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(program)))()
""",
    ),
}

COUNTING: dict[str, tuple[int, str]] = {
    "start threads without end": (
        600,
        """
def run(value):
    import _thread, threading
    threading.stack_size(65536)
    lock = threading.Lock()
    lock.acquire()
    started = 0
    try:
        for _ in range(5_000):
            _thread.start_new_thread(lock.acquire, ())
            started += 1
    except (RuntimeError, MemoryError):
        pass
    return started
""",
    ),
    "open files without end": (
        260,
        """
def run(value):
    opened = []
    try:
        for _ in range(5_000):
            opened.append(os.dup(0))
    except OSError:
        pass
    return len(opened)
""",
    ),
    "fill the disk": (
        256 << 20,
        """
def run(value):
    written = 0
    block = bytes(1 << 20)
    for place, folder in enumerate((os.environ.get("TMPDIR", "/tmp"), "/var/tmp", "/dev/shm", value["folder"], "/")):
        for number in range(20):
            try:
                with open(f"{folder}/{place}-{number}", "wb", buffering=0) as file:
                    for _ in range(100):
                        written += file.write(block)
            except OSError:
                break
    return written
""",
    ),
}
"""The most that each may get."""
