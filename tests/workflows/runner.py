"""In the place of Dify's one-shot runner (SLIM_BINARY_PATH): hands each call to the broker.

The engine starts this program once a call, with the request on stdin; everything else is the
broker's (see broker.py), which may keep one plugin process for all of them.
"""

import json
import os
import socket
import sys

SOCKET = "MEM9_WORKFLOWS_BROKER"


def main() -> int:
    """Pass on what the broker says; its last line is the exit code and the words for stderr."""
    wants_input = "extract" not in sys.argv
    asked = {"arguments": sys.argv[1:], "request": sys.stdin.read() if wants_input else ""}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[SOCKET])
        connection.sendall(json.dumps(asked).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                said = json.loads(line)
                if "exit" in said:
                    sys.stderr.write(said["stderr"])
                    return int(said["exit"])
                sys.stdout.write(json.dumps(said) + "\n")
                sys.stdout.flush()
    return 70


if __name__ == "__main__":
    raise SystemExit(main())
