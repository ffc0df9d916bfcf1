"""A peer of the benchmark: the usual way to write this server in Python.

FastAPI on uvicorn; handlers are plain functions, so that FastAPI runs them in its thread
pool; a command without shell syntax is started directly, any other through /bin/bash -c; a
session is a directory, an environment and a history, kept in memory and written to a JSON
file after each command. It is meant to be a fair reading of that design, not a slow one:
nothing is added that the design does not ask for, and no logging of requests is done.

    python fastapi_server.py

Keeps its files in the current directory. Prints "listening on http://127.0.0.1:PORT" as its first line, on a free port.
"""

import ctypes
import json
import os
import shlex
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

SHELL_SYNTAX = set("|&;<>()$`\n*?[]{}~")
KEPT_COMMANDS = 100
PR_SET_PDEATHSIG = 1

app = FastAPI()
state_dir = Path.cwd()
sessions: dict[str, "Session"] = {}


class Request(BaseModel):
    command: str
    session_id: str | None = None
    cwd: str | None = None
    timeout: float = 30


class Answer(BaseModel):
    success: bool
    exit_code: int
    stdout: str
    stderr: str
    command: str
    execution_time: float


class Session:
    """What is carried from one command to the next."""

    def __init__(self):
        self.id = uuid.uuid4().hex
        self.cwd = os.getcwd()
        self.env = dict(os.environ)
        self.exported: dict[str, str] = {}
        self.history: list[str] = []

    def run(self, command: str, timeout: float):
        words = command.split(maxsplit=1)
        if words and words[0] == "cd":
            result = self.change_directory(words[1] if len(words) > 1 else "~")
        elif words and words[0] == "export" and len(words) > 1:
            for assignment in shlex.split(words[1]):
                name, _, value = assignment.partition("=")
                self.exported[name] = value
            result = 0, "", ""
        else:
            result = execute(command, self.cwd, {**self.env, **self.exported}, timeout)
        self.history = [*self.history, command][-KEPT_COMMANDS:]
        self.save()
        return result

    def change_directory(self, to: str):
        path = os.path.normpath(os.path.join(self.cwd, os.path.expanduser(to.strip())))
        if not os.path.isdir(path):
            return 1, "", f"cd: {path}: No such file or directory\n"
        self.cwd = path
        return 0, "", ""

    def save(self):
        kept = {"id": self.id, "cwd": self.cwd, "env": self.exported, "history": self.history}
        (state_dir / f"{self.id}.json").write_text(json.dumps(kept))


def execute(command: str, cwd: str | None, env: dict | None, timeout: float):
    needs_shell = not SHELL_SYNTAX.isdisjoint(command)
    argv = ["/bin/bash", "-c", command] if needs_shell else shlex.split(command)
    try:
        done = subprocess.run(argv, capture_output=True, cwd=cwd, env=env, timeout=timeout,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace"), "timed out\n"
    except FileNotFoundError as missing:
        return 127, "", f"{missing}\n"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/api/create-session")
def create_session():
    session = Session()
    sessions[session.id] = session
    session.save()
    return {"session_id": session.id, "created": True}


@app.delete("/api/session/{session_id}")
def delete_session(session_id: str):
    if sessions.pop(session_id, None) is None:
        raise HTTPException(404)
    (state_dir / f"{session_id}.json").unlink(missing_ok=True)
    return {"success": True}


@app.post("/api/run-command", response_model=Answer)
def run_command(request: Request):
    started = time.perf_counter()
    if request.session_id is None:
        code, out, err = execute(request.command, request.cwd, None, request.timeout)
    else:
        session = sessions.get(request.session_id)
        if session is None:
            raise HTTPException(404)
        code, out, err = session.run(request.command, request.timeout)
    return Answer(success=code == 0, exit_code=code, stdout=out, stderr=err,
                  command=request.command, execution_time=time.perf_counter() - started)


def main():
    # Ends with the process that started it, however that one ends.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    server.run(sockets=[listener])


main()
