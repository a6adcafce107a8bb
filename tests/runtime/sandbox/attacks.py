"""What hostile learned code might try: each attack is a module whose `attack(w)` returns the names of what succeeded.

`w` names the things of the world outside that must stay unharmed (`world.py`); that they do is checked there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

PRELUDE = """
import ctypes, fcntl, json, mmap, os, platform, resource, signal, socket, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)

def succeeded(**attempts):
    found = []
    for name, attempt in attempts.items():
        try:
            if attempt() != -1:  # what a function of the C library returns for an error
                found.append(name)
        except (OSError, RuntimeError, ValueError):  # refused; any other exception is a mistake in the attack
            pass
    return found

def empty():
    raise OSError

def write(path, text="harm"):
    with open(path, "w") as file:
        file.write(text)

def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as made:
        made.settimeout(0.2)
        made.connect(address)
        made.send(b"harm")
"""


def nothing(answer: Any) -> bool:
    """Every attempt failed."""
    return bool(answer == [])


class Attack(NamedTuple):
    """One attack.

    Attributes:
        name: what it tries.
        source: its code, to come after the prelude.
        ends: how the call must end: with an error of this reason, or "" for an answer.
        good: what an answer must be.
        seconds: the time it is given.
    """

    name: str
    source: str
    ends: str = ""
    good: Callable[[Any], bool] = nothing
    seconds: float = 5.0


def tries(name: str, **attempts: str) -> Attack:
    """An attack whose attempts are expressions; none may succeed."""
    listed = "".join(f"        {key}=lambda: {code},\n" for key, code in attempts.items())
    return Attack(name, f"def attack(w):\n    return succeeded(\n{listed}    )\n")


FILES = [
    tries(
        "read a host file",
        file="open(w['file']).read()",
        folder="os.listdir(w['folder'])",
        root="os.listdir('/')",
        etc="open('/etc/hostname').read() or open('/etc/passwd').read()",
        home="os.listdir('/root') or os.listdir('/home')",
        real="os.open(w['file'], os.O_RDONLY | os.O_NOFOLLOW)",
        path="os.open(w['file'], os.O_PATH) and open(f'/proc/self/fd/{os.open(w[\"file\"], os.O_PATH)}').read()",
        raw="libc.open(w['file'].encode(), 0)",
        other_root="open('/proc/self/root' + w['file']).read()",
        tool="open(w['checkout']).read()",
    ),
    tries(
        "read through a link in its own folder",
        symbolic="os.symlink(w['file'], 'link') or open('link').read()",
        hard="os.link(w['file'], 'hard') or open('hard').read()",
        folder="os.symlink(w['folder'], 'folder') or open('folder/file', 'a').write('harm')",
    ),
    Attack(
        "climb out of the library's folder",
        """
def attack(w):
    found = []
    for number in range(3, 64):
        try:
            folder = os.open("../" * 20, os.O_RDONLY | os.O_DIRECTORY, dir_fd=number)
            found.append(os.listdir(folder))
        except OSError:
            pass
        try:
            found.append(os.open("../" * 20 + w["file"], os.O_RDONLY, dir_fd=number))
        except OSError:
            pass
    return found
""",
    ),
    tries(
        "change the library",
        new="write(os.__file__.replace('os.py', 'harm.py'))",
        held="[write(f'/proc/self/fd/{n}/harm.py') for n in range(3, 8)]",
        mode="os.chmod(sys.path[0] + '/os.py', 0o666)",
    ),
    tries(
        "read keys and other processes",
        environment="os.environ or empty()",
        c_environment="libc.getenv(b'HARMLESS_API_KEY') or empty()",
        own="open('/proc/self/environ').read()",
        parent="open(f'/proc/{w[\"parent\"]}/environ').read()",
        template="open(f'/proc/{os.getppid()}/environ').read()",
        victim="open(f'/proc/{w[\"victim\"]}/environ').read()",
        memory="open(f'/proc/{w[\"victim\"]}/mem', 'rb').read(1)",
        command="open(f'/proc/{w[\"parent\"]}/cmdline').read()",
        processes="os.listdir('/proc')",
        stream="libc.process_vm_readv(w['victim'], None, 0, None, 0, 0)",
    ),
    tries(
        "change host files",
        append="open(w['file'], 'a').write('harm')",
        over="write(w['file'])",
        both="open(w['file'], 'r+')",
        cut="os.truncate(w['file'], 0)",
        new="write(w['folder'] + '/new')",
        make="os.mkdir(w['folder'] + '/new')",
        pipe="os.mkfifo(w['folder'] + '/new')",
        node="os.mknod(w['folder'] + '/new')",
        link="os.symlink('/', w['folder'] + '/new')",
        remove="os.remove(w['file'])",
        move="os.rename(w['file'], w['folder'] + '/new')",
        move_here="os.rename(w['file'], 'new')",
        mode="os.chmod(w['file'], 0)",
        mode_of_folder="os.chmod(w['folder'], 0)",
        owner="os.chown(w['file'], 1, 1)",
        times="os.utime(w['file'], (0, 0))",
        attribute="os.setxattr(w['file'], 'user.harm', b'1')",
        shared="write('/dev/shm/agentsym-attack')",
        temporary="write('/var/tmp/agentsym-attack')",
        device="open('/dev/tty', 'w')",
        settings="write('/proc/sys/kernel/core_pattern')",
        own_settings="write('/proc/self/oom_score_adj', '-1000')",
        group="write('/sys/fs/cgroup/agentsym-attack')",
    ),
    Attack(
        "leave a file in the temporary folder",
        """
def attack(w):
    for folder in ("/tmp", "."):
        try:
            write(folder + "/agentsym-attack")
        except OSError:
            pass
    return []
""",
    ),
    Attack(
        "names with line breaks, and deep folders",
        """
def attack(w):
    try:
        write("a\\nb\\r\\x1b[31m")
        for _ in range(500):
            os.mkdir("d")
            os.chdir("d")
    except OSError:
        pass
    return []
""",
    ),
    Attack(
        "fill the disk",
        """
def attack(w):
    written = 0
    for number in range(100_000):
        try:
            file = open(f"file{number}", "wb", buffering=0)
        except OSError:
            break
        try:
            while True:
                written += file.write(b"x" * 65536)
        except OSError:
            if file.tell() == 0:
                break
    return written
""",
        good=lambda answer: answer <= 16 << 20,
    ),
]

TALK = [
    tries(
        "talk to the network",
        port="connect(socket.AF_INET, ('127.0.0.1', w['port']))",
        datagram="connect(socket.AF_INET, ('127.0.0.1', w['datagram_port']), socket.SOCK_DGRAM)",
        six="socket.socket(socket.AF_INET6)",
        serve="socket.create_server(('127.0.0.1', 0))",
        raw="socket.socket(socket.AF_INET, socket.SOCK_RAW)",
        netlink="socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        by_name="socket.getaddrinfo('localhost', w['port']) and connect(socket.AF_INET, ('localhost', w['port']))",
        raw_call="libc.socket(2, 1, 0)",
    ),
    tries(
        "talk to a server on this machine",
        path="connect(socket.AF_UNIX, w['socket'])",
        abstract="connect(socket.AF_UNIX, w['abstract'])",
        system_bus="connect(socket.AF_UNIX, '/run/dbus/system_bus_socket')",
        docker="connect(socket.AF_UNIX, '/var/run/docker.sock')",
        pair="socket.socketpair()",
    ),
    tries(
        "signal others",
        parent="os.kill(w['parent'], 0)",
        victim="os.kill(w['victim'], signal.SIGKILL)",
        stop="os.kill(w['victim'], signal.SIGSTOP)",
        template="os.kill(os.getppid(), signal.SIGKILL)",
        group="os.killpg(0, signal.SIGKILL)",
        everyone="os.kill(-1, signal.SIGKILL)",
        thread="libc.tgkill(w['victim'], w['victim'], 9)",
        queue="libc.sigqueue(w['victim'], 9, 0)",
        handle="signal.pidfd_send_signal(os.pidfd_open(w['victim']), signal.SIGKILL)",
    ),
    tries(
        "make the kernel signal others",
        owner="fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, w['victim'])",
        which="fcntl.fcntl(os.pipe()[0], 10, signal.SIGKILL)",
        lease="fcntl.fcntl(open('own', 'w'), fcntl.F_SETLEASE, fcntl.F_WRLCK)",
        terminal="fcntl.ioctl(0, 0x5412, b'x')",
    ),
    tries(
        "slow or limit others",
        limits="resource.prlimit(w['victim'], resource.RLIMIT_CPU, (0, 0))",
        own_limits="resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))",
        nice="os.setpriority(os.PRIO_PROCESS, w['victim'], 19)",
        all_of_mine="os.setpriority(os.PRIO_USER, 0, 19)",
        processors="os.sched_setaffinity(w['victim'], {0})",
        policy="os.sched_setscheduler(w['victim'], os.SCHED_IDLE, os.sched_param(0))",
    ),
    tries(
        "share memory",
        system_five="libc.shmget(0, 4096, 0o1666)",
        queue="libc.msgget(0, 0o1666)",
        semaphores="libc.semget(0, 1, 0o1666)",
        posix_queue="libc.syscall(240, b'/harm', 0o102, 0o666, None)",
        anonymous="os.memfd_create('harm')",
        keys="libc.syscall(250, 0, -3, 1) if platform.machine() == 'x86_64' else -1",
    ),
]

PROCESSES = [
    Attack(
        "fork bomb",
        """
def attack(w):
    made = 0
    for _ in range(200):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            made += 1
        except OSError:
            pass
    return made
""",
        good=lambda answer: answer == 0,
    ),
    tries(
        "start a program",
        shell="subprocess.run(['/bin/sh', '-c', 'true'])",
        system="os.system('true') == 0 or empty()",
        instead="os.execv('/bin/true', ['true'])",
        spawn="os.posix_spawn('/bin/true', ['true'], {})",
        itself="os.execv(w['python'], ['python', '-c', 'pass'])",
        loader="os.execv('/lib64/ld-linux-x86-64.so.2', ['ld.so', '/bin/true'])",
        open_pipe="os.popen('echo harm').read() or empty()",
        thread="threading.Thread(target=print).start()",
        raw="libc.vfork()",
    ),
    Attack(
        "outlive the call by forking twice",
        """
def attack(w):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(30)
            os._exit(0)
        os.wait()
    except OSError:
        pass
    return []
""",
    ),
    tries(
        "get rights back",
        root="os.setuid(0)",
        group="os.setgroups([0])",
        mount="libc.mount(b'none', w['folder'].encode(), b'tmpfs', 0, None)",
        bind="libc.mount(w['folder'].encode(), b'/tmp', None, 4096, None)",
        unmount="libc.umount2(b'/tmp', 2)",
        trace="libc.ptrace(16, w['victim'], 0, 0)",
        trace_template="libc.ptrace(16, os.getppid(), 0, 0)",
        users="libc.unshare(0x10000000)",
        network="libc.unshare(0x40000000)",
        enter="libc.setns(3, 0)",
        root_folder="os.chroot('/')",
        host="libc.sethostname(b'harm', 4)",
        ring="libc.syscall(425, 1, ctypes.create_string_buffer(256))",
        dumpable="libc.prctl(4, 1, 0, 0, 0)",
        privileges="libc.prctl(38, 0, 0, 0, 0)",
        filters="libc.prctl(22, 0, 0, 0, 0)",
        restrict="libc.syscall(444, None, 0, 1)",
        soft="resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))",
        memory="resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        watch="libc.inotify_init()",
        old_way="libc.syscall(0x40000000 | 41, 2, 1, 0)",
    ),
]

ON_OTHERS = [*FILES, *TALK, *PROCESSES]
