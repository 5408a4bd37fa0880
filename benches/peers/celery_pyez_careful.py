"""Peer: Celery and PyEZ, with care. A queue a switch, one process a queue, sessions kept open, acknowledged when done."""
import common

LAYOUT = common.queue_per_switch

sessions = {}


def push(job, held):
    """Push one create over the switch's session; one that failed is closed, and the next create opens another."""
    switch = job["switch"]
    if switch not in sessions:
        sessions[switch] = common.open_pyez(job)
    try:
        common.push_pyez(sessions[switch], job, held)
    except BaseException:
        sessions.pop(switch).close()
        raise


app = common.make_app(LAYOUT, task_acks_late=True, task_reject_on_worker_lost=True)
create = common.make_task(app, push)
