"""The launcher process: spawns, reaps, remembers exits, answers on a unix socket.

Run as `python -I -S program.py WORK_DIR`. Standard library only and one thread, so that it stays
small and may change its directory before each spawn. It has no logic of its own: the agent says
what to spawn and signal, the launcher says what started and exited. Exits are appended to a file
before they are told, and kept until the agent says `forget`: one that was away learns them.

Messages are JSON lines. From the agent: spawn, signal, forget, eof, stop. To the agent: hello (all
that is known), started, failed, exited. Details are with each handler below.

A spawn with a `pidfile` starts something that starts the container (an OCI runtime): when it exits
with 0 the container's pid is read from that file, and its exit is the container's, which this
process, being a subreaper, is told of.

A spawn with `io` (PIPES or TTY) is one that somebody attaches to: this process keeps the other
ends, so that they outlive the agent, and gives them to whoever asks on the socket `io`. With a
`pidfile`, too, the runtime makes the terminal, and hands it over by the socket whose path takes the
place of `{console}` in its words (runc's --console-socket); pipes are inherited through it.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
LONELY_S = 900.0
"""With no agent and no child for so long, nobody needs this process."""
STOP_GRACE_S = 3.0
CONSOLE = "{console}"


class Launcher:
    """All that the process knows."""

    def __init__(self, directory: str) -> None:
        self.exits_path = os.path.join(directory, "exits")
        self.running: dict[str, int] = {}
        self.starting: dict[int, tuple[str, str]] = {}
        self.ids: dict[int, str] = {}
        self.exited: dict[str, int] = {}
        self.orphans: dict[int, int] = {}
        self.io: dict[str, list[int]] = {}
        """Our ends of the input and output of those that are attached to, by id."""
        self.consoles: dict[str, Console] = {}
        """Terminals that runtimes are making, by id."""
        self.home = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.agent: socket.socket | None = None
        self.incoming = b""
        self.outgoing = bytearray()
        self.stop_at: float | None = None
        self.lonely_since = time.monotonic()
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def tell(self, event: dict[str, Any]) -> None:
        """Queue an event for the agent, if there is one."""
        if self.agent is not None:
            self.outgoing += json.dumps(event).encode() + b"\n"

    # what the agent asks

    def spawn(self, order: dict[str, Any]) -> None:
        """Start a process in its own session; answer `started` or `failed`."""
        name = order["id"]
        if name in self.running or name in self.exited:
            self.tell({"event": "failed", "id": name, "error": "the id is taken"})
            return
        try:
            pid = self._posix_spawn(order)
        except OSError as error:
            text = f"{error.strerror or error}: {error.filename or order['argv'][0]}"
            self.tell({"event": "failed", "id": name, "error": text})
            return
        if "pidfile" in order:
            self.starting[pid] = (name, order["pidfile"])
        else:
            self._started(name, pid)

    def _posix_spawn(self, order: dict[str, Any]) -> int:
        environment = order["env"]
        argv = order["argv"]
        program = find(argv[0], environment.get("PATH", os.defpath), order["cwd"])
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        os.chdir(order["cwd"])
        if "io" in order:
            try:
                return self._spawn_attached(order, program)
            finally:
                os.chdir("/")
        out = os.open(order["stdout"], flags, 0o644)
        try:
            err = os.open(order["stderr"], flags, 0o644)
            try:
                return spawn_leader(
                    program, order.get("args", argv), environment, onto(self.null, out, err)
                )
            finally:
                os.close(err)
        finally:
            os.close(out)
            os.chdir("/")

    def _spawn_attached(self, order: dict[str, Any], program: str) -> int:
        """Start a process whose input and output are a terminal's, or pipes; keep our ends."""
        if "pidfile" in order and order["io"] == "TTY":
            return self._spawn_with_console(order, program)
        if order["io"] == "TTY":
            master, slave = os.openpty()
            set_window(master, *order["window"])
            path = os.ttyname(slave)
            # Opened by the leader of a new session, it becomes its controlling terminal.
            actions: list[Any] = [(os.POSIX_SPAWN_OPEN, 0, path, os.O_RDWR, 0)]
            actions += [(os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
            ours, theirs = [master], [slave]
        else:
            (read0, write0), (read1, write1), (read2, write2) = (os.pipe() for _ in range(3))
            actions = onto(read0, write1, write2)
            ours, theirs = [write0, read1, read2], [read0, write1, write2]
        try:
            pid = spawn_leader(program, order.get("args", order["argv"]), order["env"], actions)
        except OSError:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self.io[order["id"]] = ours
        return pid

    def _spawn_with_console(self, order: dict[str, Any], program: str) -> int:
        """Start a runtime that hands over the terminal which it makes; keep what it says."""
        console = Console(self.home, order)
        argv = [console.path if word == CONSOLE else word for word in order["argv"]]
        try:
            said = console.said[1]
            pid = spawn_leader(program, argv, order["env"], onto(self.null, said, said))
        except OSError:
            console.close()
            raise
        self.consoles[order["id"]] = console
        return pid

    def hand_over(self, connection: socket.socket) -> None:
        """Give the ends of one that is attached to, whose id comes on the connection, away."""
        connection.settimeout(1.0)
        with contextlib.suppress(OSError), connection:
            name = connection.recv(4096).decode().strip()
            fds = self.io.get(name, [])
            socket.send_fds(connection, [str(len(fds)).encode()], fds)

    def eof(self, order: dict[str, Any]) -> None:
        """Close our end of an input, so that closing the agent's is its end."""
        ends = self.io.get(order["id"], [])
        if len(ends) == 3:
            os.close(ends.pop(0))

    def _drop_io(self, name: str) -> None:
        for fd in self.io.pop(name, []):
            os.close(fd)

    def _started(self, name: str, pid: int) -> None:
        self.running[name] = pid
        self.ids[pid] = name
        self.tell({"event": "started", "id": name, "pid": pid})
        if pid in self.orphans:
            self._exited(pid, self.orphans.pop(pid))

    def signal(self, order: dict[str, Any]) -> None:
        """Send a signal to a container: to its first process, or its whole group with `tree`."""
        pid = self.running.get(order["id"])
        if pid is not None:
            send(pid, order["signal"], tree=order.get("tree", False))

    def forget(self, order: dict[str, Any]) -> None:
        """Drop the records of exits that the agent has stored."""
        for name in order["ids"]:
            self.exited.pop(name, None)
            self._drop_io(name)
        self._rewrite_exits()

    def _rewrite_exits(self) -> None:
        with open(self.exits_path + ".new", "w") as file:
            for name, status in self.exited.items():
                file.write(json.dumps([name, status]) + "\n")
        os.replace(self.exits_path + ".new", self.exits_path)

    def stop(self, order: dict[str, Any]) -> None:
        """End every container, SIGKILL after a grace, then this process."""
        for pid in list(self.running.values()):
            send(pid, signal.SIGTERM, tree=True)
        self.stop_at = time.monotonic() + order.get("grace", STOP_GRACE_S)

    # children

    def reap(self) -> None:
        """Collect every child that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.starting:
                self._starter_ended(pid, status)
            elif pid in self.ids:
                self._exited(pid, status)
            else:
                # Perhaps a container whose starter has not been reaped yet; else a stray.
                self.orphans[pid] = status
                while len(self.orphans) > 4096:
                    del self.orphans[next(iter(self.orphans))]

    def _starter_ended(self, pid: int, status: int) -> None:
        name, pidfile = self.starting.pop(pid)
        console = self.consoles.pop(name, None)
        try:
            if status != 0:
                said = self._said(name, console)
                code = os.waitstatus_to_exitcode(status)
                raise ValueError(f"the runtime exited with status {code}{said}")
            if console is not None:
                self.io[name] = [console.terminal()]
            with open(pidfile) as file:
                self._started(name, int(file.read()))
        except (OSError, ValueError) as error:
            self._drop_io(name)
            self.tell({"event": "failed", "id": name, "error": str(error)})
        finally:
            if console is not None:
                console.close()

    def _said(self, name: str, console: "Console | None") -> str:
        """Return the last line that a failed runtime wrote where its container's output goes."""
        if console is None:
            return last_line(self.io.get(name, [])[-1:])  # in the sandbox's stderr if there is none
        with contextlib.suppress(OSError, ValueError):
            self.io[name] = [console.terminal()]  # what failed late says so there
        return last_line([console.said[0], *self.io.get(name, [])])

    def _exited(self, pid: int, status: int) -> None:
        name = self.ids.pop(pid)
        del self.running[name]
        # What the first process started ends with it; cgroups, where there are any, catch the rest.
        send(pid, signal.SIGKILL, tree=True)
        if name in self.io:
            # A session shares its parent's cgroups, and a shell's jobs have groups of their own.
            for each in session_of(pid):
                send(each, signal.SIGKILL, tree=False)
        self.exited[name] = status
        with open(self.exits_path, "a") as file:
            file.write(json.dumps([name, status]) + "\n")
        self.tell({"event": "exited", "id": name, "status": status})

    # the agent's connection

    def greet(self, connection: socket.socket) -> None:
        """Talk to this agent from now on, and tell it everything."""
        self.part()
        self.agent = connection
        connection.setblocking(False)
        self.tell({"event": "hello", "running": self.running, "exited": self.exited})

    def part(self) -> None:
        """Forget the agent's connection; its containers stay."""
        if self.agent is not None:
            self.agent.close()
        self.agent = None
        self.incoming = b""
        self.outgoing.clear()
        self.lonely_since = time.monotonic()

    def read(self) -> None:
        """Carry out what the agent sent."""
        assert self.agent is not None
        try:
            data = self.agent.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.part()
            return
        lines = (self.incoming + data).split(b"\n")
        self.incoming = lines.pop()
        orders = {
            "spawn": self.spawn,
            "signal": self.signal,
            "forget": self.forget,
            "eof": self.eof,
            "stop": self.stop,
        }
        for line in lines:
            order = json.loads(line)
            orders[order["op"]](order)

    def write(self) -> None:
        """Send what is queued."""
        if self.agent is None or not self.outgoing:
            return
        try:
            sent = self.agent.send(self.outgoing)
            del self.outgoing[:sent]
        except BlockingIOError:
            return
        except OSError:
            self.part()

    # the loop

    def is_done(self) -> bool:
        """Whether the process may end."""
        if self.stop_at is not None:
            if not self.running:
                return True
            if time.monotonic() >= self.stop_at:
                for pid in list(self.running.values()):
                    send(pid, signal.SIGKILL, tree=True)
                self.stop_at = time.monotonic() + 0.2
            return False
        lonely = self.agent is None and not self.running and not self.starting
        return lonely and time.monotonic() - self.lonely_since > LONELY_S


class Console:
    """A socket by which a runtime hands over the terminal of the container that it starts."""

    def __init__(self, home: int, order: dict[str, Any]) -> None:
        # By a descriptor: a unix socket's path has 108 bytes at most.
        self.path = f"/proc/{os.getpid()}/fd/{home}/console-{order['id'][-64:]}"
        self.window = order["window"]
        self.said = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.setblocking(False)

    def terminal(self) -> int:
        """Return the terminal, which a runtime that has ended has sent."""
        connection, _ = self.listener.accept()
        with connection:
            _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        if not fds:
            raise ValueError("the runtime made no terminal")
        os.set_inheritable(fds[0], False)
        set_window(fds[0], *self.window)
        return fds[0]

    def close(self) -> None:
        """Remove the socket."""
        self.listener.close()
        for fd in self.said:
            os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def onto(*fds: int) -> list[Any]:
    """Return what makes descriptors a process's input, output and errors."""
    return [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)]


def spawn_leader(program: str, argv: list[str], env: dict[str, str], actions: list[Any]) -> int:
    """Start a process that leads a session of its own, with the signals as everybody expects."""
    usual = [signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT]
    return os.posix_spawn(
        program, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=usual
    )


def last_line(fds: list[int]) -> str:
    """Return the last line that waits to be read, as a reason behind another one."""
    for fd in fds:
        os.set_blocking(fd, False)
        text = ""
        with contextlib.suppress(OSError):
            text = os.read(fd, 65536).decode(errors="replace")
        lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
        if lines:
            return f": {lines[-1]}"
    return ""


def session_of(leader: int) -> list[int]:
    """Return the processes that are in a session; it outlives its leader."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat") as file:
                # Behind the program's name, which may hold anything: state, parent, group, session.
                if int(file.read().rpartition(")")[2].split()[3]) == leader:
                    found.append(int(name))
    return found


def set_window(terminal: int, rows: int, columns: int) -> None:
    """Set a terminal's size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def find(program: str, path: str, directory: str) -> str:
    """Return where a program is, as execvp would look for it."""
    if "/" in program:
        return os.path.join(directory, program)
    for each in path.split(":"):
        candidate = os.path.join(each or ".", program)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def send(pid: int, signum: int, *, tree: bool) -> None:
    """Signal a process, or its whole group; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if tree:
            os.killpg(pid, signum)
        else:
            os.kill(pid, signum)


def listen(name: str) -> socket.socket:
    """Listen on a unix socket of this name, for our own user only."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    listener.bind(name)
    os.umask(old)
    listener.listen(8)
    return listener


def serve(directory: str) -> None:
    """Run until stopped, or no longer needed."""
    lock = os.open(os.path.join(directory, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    # Relative to the directory: a unix socket's path has 108 bytes at most.
    os.chdir(directory)
    listener, handing = listen("socket"), listen("io")
    os.chdir("/")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda signum, frame: None)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    launcher = Launcher(directory)
    signal.signal(signal.SIGTERM, lambda signum, frame: launcher.stop({}))
    while not launcher.is_done():
        readers: list[Any] = [listener, handing, wake_read]
        if launcher.agent is not None:
            readers.append(launcher.agent)
        writers = [launcher.agent] if launcher.agent is not None and launcher.outgoing else []
        wait_s = 0.05 if launcher.stop_at is not None else 60.0
        ready, _, _ = select.select(readers, writers, [], wait_s)
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 65536)
        launcher.reap()
        if handing in ready:
            launcher.hand_over(handing.accept()[0])
        if listener in ready:
            launcher.greet(listener.accept()[0])
        elif launcher.agent in ready:
            launcher.read()
        launcher.write()
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(directory, "socket"))
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(directory, "io"))
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(directory, "exits"))


if __name__ == "__main__":
    try:
        serve(sys.argv[1])
    except BlockingIOError:
        sys.exit("another launcher holds this directory")
