"""Runs `true` on a host through asyncssh: one connection, a channel for each command.

A line on the input, `KIND CLIENTS ROUNDS`, asks for so many commands by so many clients side by
side. The answer is a line of milliseconds: all together first, then each command.
"""

import asyncio
import sys
import time

import asyncssh


async def client(connection, rounds, took):
    for _ in range(rounds):
        began = time.perf_counter()
        result = await connection.run("true")
        took.append(time.perf_counter() - began)
        if result.exit_status != 0:
            raise RuntimeError(f"`true` ended with {result.exit_status}")


async def answer(connection, line):
    _kind, clients, rounds = line.split()
    took = []
    began = time.perf_counter()
    await asyncio.gather(*(client(connection, int(rounds), took) for _ in range(int(clients))))
    return [time.perf_counter() - began, *took]


async def main():
    port, user, key, known_hosts = sys.argv[1:]
    loop = asyncio.get_running_loop()
    async with asyncssh.connect(
        "127.0.0.1", int(port), username=user, client_keys=[key], known_hosts=known_hosts, config=None
    ) as connection:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                seconds = await answer(connection, line)
                print(" ".join(f"{one * 1e3:.3f}" for one in seconds), flush=True)
            except Exception as error:
                print(f"error {error!r}", flush=True)


asyncio.run(main())
