#!/usr/bin/env python3
"""listener_enter.py ROOT DIR JAIL COUNT MOUNT... [NAME=VALUE...] COMMAND...

Becomes COMMAND in the disposable ROOT, for listeners.sh, in mount and pid namespaces that unshare(1) has
made: over ROOT lies a memory file system in DIR/top, DIR and COUNT MOUNTs are at their own paths, DIR/jail
is at JAIL unless that is empty, and the environment is the NAMEs. One program, for each of the fifteen that
would do the same costs as much as half of this one, and a test starts a dozen servers.
"""
import ctypes
import errno
import os
import signal
import sys

MS_BIND = 4096
MS_REC = 16384
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
LINKS = {"fd": "/proc/self/fd", "stdout": "fd/1", "stderr": "fd/2"}

libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags=0, options=None):
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), options and os.fsencode(options)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mounting {kind or source}: {os.strerror(error)}", target)


def bind(source, target, flags=0):
    mount(source, target, None, MS_BIND | flags)


def lay_over(root, top):
    """Returns a root that shows ROOT and takes what is written; copied where there is no overlay."""
    os.makedirs(top, exist_ok=True)
    mount("listener", top, "tmpfs", 0, "mode=755")
    for name in ("upper", "work", "root"):
        os.mkdir(f"{top}/{name}")
    try:
        layers = f"lowerdir={root},upperdir={top}/upper,workdir={top}/work"
        mount("listener", f"{top}/root", "overlay", 0, layers)
    except OSError:
        if os.spawnlp(os.P_WAIT, "cp", "cp", "-a", f"{root}/.", f"{top}/root/") != 0:
            raise
    return f"{top}/root"


def make_dev(dev):
    mount("dev", dev, "tmpfs", 0, "mode=755")
    for name in DEVICES:
        with open(f"{dev}/{name}", "x", encoding="ascii"):
            pass
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in LINKS.items():
        os.symlink(target, f"{dev}/{name}")


def execute(words, environment):
    """os.execvpe would now import a module, from the root."""
    for folder in [""] if "/" in words[0] else PATH.split(":"):
        try:
            os.execve(os.path.join(folder, words[0]), words, environment)
        except FileNotFoundError:
            pass
    raise FileNotFoundError(errno.ENOENT, "no such command", words[0])


def main():
    root, directory, jail, count = sys.argv[1:5]
    mounts, words = sys.argv[5 : 5 + int(count)], sys.argv[5 + int(count) :]
    root = lay_over(root, f"{directory}/top")
    make_dev(f"{root}/dev")
    for path in (directory, *mounts):
        os.makedirs(root + path, exist_ok=True)
        bind(path, root + path, MS_REC)
    mount("proc", f"{root}/proc", "proc")
    if jail:
        bind(f"{directory}/jail", root + jail)
    environment = {"PATH": PATH}
    while "=" in words[0]:
        name, value = words.pop(0).split("=", 1)
        environment[name] = value
    os.chroot(root)
    os.chdir("/")
    # Python ignores these, and what it becomes would too.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    execute(words, environment)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"listener_enter.py: {error}")
