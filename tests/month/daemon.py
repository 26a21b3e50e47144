"""The daemon as a child, and a connection to it of which every word is written down."""

import itertools
import json
import os
import signal
import socket
import subprocess
import time

# Nothing takes this long; a daemon that has not answered by then hangs.
PATIENCE_S = 60


class Line:
    """A connection. Requests go one after the other; all are written down."""

    def __init__(self, clerk, path, uid, traffic, moments):
        self.clerk, self.traffic, self.moments = clerk, traffic, moments
        # The daemon asks the kernel who connects: two people are two users.
        own = os.geteuid()
        if uid is not None:
            os.seteuid(uid)
        try:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_S)
            self.socket.connect(path)
        finally:
            os.seteuid(own)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.ids = itertools.count(1)

    def ask(self, method, params):
        """The result, or None for what was refused."""
        while True:
            request = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params}
            sent = next(self.moments)
            self.socket.sendall((json.dumps(request) + "\n").encode())
            while (answer := json.loads(next(self.lines))).get("id") != request["id"]:
                pass
            entry = {"clerk": self.clerk, "sent": sent, "got": next(self.moments), "request": request, "answer": answer}
            self.traffic.append(entry)
            error = answer.get("error")
            if error is None:
                return answer["result"]
            if error["data"]["reason"] != "busy":
                return None


def config(folder, rules):
    tables = "".join(
        "[[earn]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in rule.items()) for rule in rules["earn"]
    )
    return (f'[shop]\ncalling_code = "34"\n[store]\ndir = "{folder}/state"\n[push]\nsocket = "{folder}/fichad.sock"\n'
            f'[points]\nearn_max = {rules["earn_max"]}\n{tables}')


def wait_for(what, look):
    by = time.monotonic() + PATIENCE_S
    while not (found := look()):
        if time.monotonic() > by:
            raise TimeoutError(f"waited {PATIENCE_S} s in vain for {what}")
        time.sleep(0.005)
    return found


class Daemon:
    def __init__(self, program, folder, uid, rules):
        self.path = f"{folder}/fichad.sock"
        with open(f"{folder}/fichad.toml", "w", encoding="utf-8") as file:
            file.write(config(folder, rules))
        self.log = open(f"{folder}/log", "ab")
        self.command = [program, "--config", f"{folder}/fichad.toml"]
        self.uid = uid
        self.start()

    def start(self):
        as_whom = {} if self.uid is None else {"user": self.uid, "group": self.uid, "extra_groups": []}
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **as_whom)
        wait_for("the store to open", self.is_open)

    def is_open(self):
        if self.child.poll() is not None:
            raise RuntimeError("the daemon ended by itself")
        try:
            states = Line("-", self.path, None, [], itertools.count()).ask("hello", {})["states"]
        except OSError:
            return False
        return states["store"]["state"] == "open" and states["vault"] == "open"

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        if self.child.wait(PATIENCE_S) != 0:
            raise RuntimeError("the daemon stopped badly")
