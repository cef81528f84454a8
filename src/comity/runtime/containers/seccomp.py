"""The default seccomp profile: which system calls a container may make.

An allow list, so that what a new kernel brings is refused until somebody has looked at it. Left out
is what acts on the machine rather than on the container (mounts, modules, clocks, swap, reboot),
what is not kept apart by namespaces (the keyring, userfaultfd, bpf, perf), and making namespaces,
each of which comes back with the capability that the kernel itself asks for it.

Only the machine's own architecture is let in: with the calls of 32-bit programs, too, the runtime
takes 18 ms longer to compile the filter, as long as it takes for all else. Who needs those runs
unconfined.
"""

import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any

_FILES = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr
flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents
getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown
lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod
mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64
pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2
rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee
truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev cachestat
"""
_WAITING = """
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
epoll_wait_old eventfd eventfd2 poll ppoll pselect6 select signalfd signalfd4 timerfd_create
timerfd_gettime timerfd_settime io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
fanotify_mark
"""
_SOCKETS = """
accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg
sendmmsg sendmsg sendto setsockopt shutdown socketpair
"""
_MEMORY = """
brk get_mempolicy madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2
mlockall mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
pkey_mprotect process_mrelease remap_file_pages
"""
_PROCESSES = """
alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait
futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups
getitimer getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit
getrusage getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self modify_ldt nanosleep pause pidfd_open pidfd_send_signal prctl prlimit64
process_madvise restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer
setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack
sysinfo tgkill tkill times uname vfork wait4 waitid ptrace process_vm_readv process_vm_writev
pidfd_getfd
"""
_TIME = """
clock_getres clock_gettime clock_nanosleep gettimeofday time timer_create timer_delete
timer_getoverrun timer_gettime timer_settime adjtimex clock_adjtime
"""
_IPC = """
mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd
semctl semget semop semtimedop shmat shmctl shmdt shmget
"""
_ALLOWED = frozenset(
    " ".join((_FILES, _WAITING, _SOCKETS, _MEMORY, _PROCESSES, _TIME, _IPC)).split()
)
_WITH_CAPABILITY = {
    "DAC_READ_SEARCH": ["open_by_handle_at"],
    "SYS_ADMIN": [
        *("bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick"),
        *("lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree"),
        *("perf_event_open", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns"),
        *("syslog", "umount", "umount2", "unshare"),
    ],
    "SYS_BOOT": ["reboot"],
    "SYS_CHROOT": ["chroot"],
    "SYS_MODULE": ["delete_module", "finit_module", "init_module"],
    "SYS_NICE": ["mbind", "migrate_pages", "move_pages", "set_mempolicy"],
    "SYS_PACCT": ["acct"],
    "SYS_PTRACE": ["kcmp"],
    "SYS_RAWIO": ["ioperm", "iopl"],
    "SYS_TIME": ["clock_settime", "settimeofday", "stime"],
    "SYS_TTY_CONFIG": ["vhangup"],
    "SYSLOG": ["syslog"],
    "PERFMON": ["perf_event_open"],
    "BPF": ["bpf"],
}
_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
_NEW_NAMESPACES = 0x7E020000
"""The flags of clone that make namespaces: CLONE_NEW*."""
_AF_VSOCK = 40
_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64"],
    "aarch64": ["SCMP_ARCH_AARCH64"],
}
_EPERM, _ENOSYS = 1, 38
_PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux and 32 bit, with or without the old uname; and the question which it is."""


def fault() -> str:
    """Return why no system calls can be filtered here; empty when they can."""
    if _ACTIONS.exists():
        return ""
    return f"the kernel has no seccomp filters ({_ACTIONS} is not there)"


def profile(capabilities: Collection[str]) -> dict[str, Any]:
    """Return the profile of a container that may have these capabilities, named without CAP_."""
    allowed = set(_ALLOWED)
    for name, calls in _WITH_CAPABILITY.items():
        if name in capabilities:
            allowed.update(calls)
    rules: list[dict[str, Any]] = [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}]
    rules += [_when("personality", 0, each, "SCMP_CMP_EQ") for each in _PERSONALITIES]
    rules.append(_when("socket", 0, _AF_VSOCK, "SCMP_CMP_NE"))
    if "SYS_ADMIN" not in capabilities:
        rules.append(_when("clone", 0, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ"))
        # Its flags are in memory, where no filter can look: libraries then fall back to clone.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    found: dict[str, Any] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "syscalls": rules,
    }
    if platform.machine() in _ARCHITECTURES:
        found["architectures"] = _ARCHITECTURES[platform.machine()]
    return found


def _when(name: str, index: int, value: int, compared: str) -> dict[str, Any]:
    """Allow a call whose argument compares so; under MASKED_EQ the masked bits must be zero."""
    argument: dict[str, Any] = {"index": index, "value": value, "op": compared}
    if compared == "SCMP_CMP_MASKED_EQ":
        argument["valueTwo"] = 0
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}
