"""Records which files a process writes, and what it starts, connects to and unpickles, by an audit hook.

python watching.py REPORT.json train dots ...    runs `ganjax train dots ...` and writes the report
"""

import json
import os
import sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
# Indices of the changed paths among an event's arguments, and of the open folders they are relative to.
CHANGING = {
    "os.mkdir": [(0, 2)],
    "os.remove": [(0, 1)],
    "os.rmdir": [(0, 1)],
    "os.chmod": [(0, 2)],
    "os.utime": [(0, 3)],
    "os.truncate": [(0, None)],
    "os.rename": [(0, 2), (1, 3)],
    "os.link": [(1, 3)],
    "os.symlink": [(1, 2)],
}
# Without creating sockets: urllib3 binds one locally to check whether the machine has IPv6.
CONNECTING = {f"socket.{name}" for name in ("connect", "sendto", "sendmsg", "getaddrinfo", "gethostbyname")}
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile")
KINDS = ("written", "started", "connected", "unpickled")


def watch():
    """Record from now on (an audit hook cannot be removed); returns the sets of events, by kind."""
    seen = {kind: set() for kind in KINDS}

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], str | bytes) and arguments[2] & WRITING:
            seen["written"].add(_absolute(arguments[0]))
        elif event in CHANGING:
            for path, folder in CHANGING[event]:
                if not isinstance(arguments[path], int):
                    seen["written"].add(
                        _absolute(arguments[path], -1 if folder is None else arguments[folder])
                    )
        elif event in STARTING:
            seen["started"].add(repr(arguments[:2]))
        elif event in CONNECTING:
            seen["connected"].add(repr((event, *arguments[1:])))
        elif event == "pickle.find_class":
            seen["unpickled"].add(repr(arguments))

    sys.addaudithook(hook)
    return seen


def _absolute(path, folder=-1):
    base = os.getcwd() if folder == -1 else os.readlink(f"/proc/self/fd/{folder}")
    return os.path.normpath(os.path.join(base, os.fsdecode(path)))


def report(seen, file):
    with open(file, "w") as stream:
        json.dump({kind: sorted(events) for kind, events in seen.items()}, stream)


if __name__ == "__main__":
    seen, file = watch(), sys.argv.pop(1)
    try:
        import small_runs

        small_runs.command_line()
    finally:
        report(seen, file)
