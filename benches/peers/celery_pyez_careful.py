"""Peer: Celery and PyEZ, with care. A queue a switch, one worker a queue, sessions kept open, acknowledged when done."""
from contextlib import suppress

import ncclient.transport.session

import common

LAYOUT = common.queue_per_switch

# ncclient sends a request only when its session wakes up, each 100 ms while nothing arrives: 0.7 s for each create.
ncclient.transport.session.TICK = 0.005

sessions = {}


def push(job, held):
    """Push one create over the switch's session; one that failed is closed, and the next create opens another."""
    switch = job["switch"]
    if switch not in sessions:
        sessions[switch] = common.open_pyez(job)
    try:
        common.push_pyez(sessions[switch], job, held)
    except Exception:
        with suppress(Exception):
            sessions.pop(switch).close()
        raise


app = common.make_app(LAYOUT, task_acks_late=True, task_reject_on_worker_lost=True)
create = common.make_task(app, push)
