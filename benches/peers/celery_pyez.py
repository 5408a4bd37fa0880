"""Peer: Celery and PyEZ. One create is one task is one session is one commit; a locked switch is tried again later."""
import common

LAYOUT = common.shared_queue


def push(job, held):
    """Push one create in a session of its own."""
    dev = common.open_pyez(job)
    try:
        common.push_pyez(dev, job, held)
    finally:
        dev.close()


app = common.make_app(LAYOUT)
create = common.make_task(app, push)
