"""What the peers share: the run's settings, the Celery app, the queues, the binding, and how an outcome is recorded."""
import json
import os
import random
import time
from contextlib import contextmanager
from pathlib import Path

from celery import Celery, signals
from jnpr.junos import Device
from jnpr.junos.exception import ConnectError, LockError
from jnpr.junos.utils.config import Config
from kombu import Queue
from lxml import etree

COMMIT_TIMEOUT_S = 300
CONFIRM_MINUTES = 5
BACKOFF_MIN_S = 0.25
BACKOFF_MAX_S = 2
# A queue that nobody consumes any more goes after this long, should the driver have been killed.
QUEUE_EXPIRES_S = 600

# The run's directory: run.json (settings), ready/, backups/, outcomes (one JSON object a line). The driver makes it.
RUN_DIR = Path(os.environ["PEERS_RUN_DIR"])
RUN = json.loads((RUN_DIR / "run.json").read_text())


# ---- queues ------------------------------------------------------------------------------------------------------


def shared_queue(workers):
    """Lay out one queue, which one worker with this many processes consumes: what Celery does unasked."""
    name = RUN["queue"]
    routes = {switch: name for switch in RUN["switches"]}
    return routes, [([name], ["--pool", "prefork", "--concurrency", str(workers)])]


def queue_per_switch(workers):
    """Lay out one queue a switch, and workers of one thread which each consume their share: no two meet at a switch.

    Not the solo pool: with late acknowledgement and a prefetch of 1 it waits a second between two tasks, and it lets the
    broker's heartbeats go unanswered during a commit.
    """
    switches = list(RUN["switches"])
    routes = {switch: f"{RUN['queue']}.{switch}" for switch in switches}
    shares = [[routes[switch] for switch in switches[lane::workers]] for lane in range(min(workers, len(switches)))]
    return routes, [(share, ["--pool", "threads", "--concurrency", "1"]) for share in shares]


def queue(name):
    """Describe a durable queue that is published to by its name."""
    return Queue(name, exchange="", routing_key=name, expires=QUEUE_EXPIRES_S)


def delete_queues(app, routes):
    """Delete the run's queues from the broker, with whatever is left in them."""
    with app.connection_for_write() as connection:
        for name in set(routes.values()):
            connection.default_channel.queue_delete(name)


# ---- the app -----------------------------------------------------------------------------------------------------


def make_app(layout, **settings):
    """Make the Celery app: durable queues, confirmed publishing, no results, none of the chatter between workers."""
    app = Celery("peers", broker=RUN["amqp"])
    app.conf.update(
        task_queues=[queue(name) for name in set(layout(1)[0].values())],
        task_create_missing_queues=False,
        task_ignore_result=True,
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=1,
    )
    app.conf.update(settings)
    return app


def make_task(app, push, **options):
    """Make the task that pushes one create; a switch that is locked or not reached is tried again, after a backoff."""

    @app.task(bind=True, name="create", max_retries=None, **options)
    def create(self, job):
        held = Held()
        try:
            push(job, held)
        except (Locked, ConnectError) as error:
            limit_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2**self.request.retries)
            raise self.retry(exc=error, countdown=random.uniform(limit_s / 2, limit_s)) from error
        except Exception as error:
            record(self.request.id, held, f"{type(error).__name__}: {error}")
            raise
        record(self.request.id, held)

    return create


@signals.worker_ready.connect
def tell_ready(sender, **_):
    """Tell the driver that this worker consumes."""
    (RUN_DIR / "ready" / sender.hostname).touch()


# ---- outcomes ----------------------------------------------------------------------------------------------------


class Locked(Exception):
    """Somebody else holds the switch's candidate."""


class Held:
    """Measures how long the switch was held locked."""

    def __init__(self):
        """Start with nothing held."""
        self.seconds = 0.0

    @contextmanager
    def measured(self):
        """Count the time of the block, however it ends."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - start


def record(task_id, held, error=None):
    """Append the task's outcome to the run's list, in one write so that processes do not mix."""
    line = json.dumps({"task": task_id, "held_s": held.seconds, "error": error}) + "\n"
    with open(RUN_DIR / "outcomes", "ab", buffering=0) as outcomes:
        outcomes.write(line.encode())


def save_backup(job, text):
    """Keep the configuration that was committed before this create."""
    (RUN_DIR / "backups" / f"{job['switch']}-{job['ip']}.conf").write_text(text)


# ---- the switch --------------------------------------------------------------------------------------------------


def login(job):
    """Give the address and the login of the job's switch."""
    return {**RUN["switches"][job["switch"]], "user": RUN["user"], "password": RUN["password"]}


def binding(job):
    """Write the job's binding as a set command (non-ELS)."""
    port = f"ethernet-switching-options secure-access-port interface {job['interface']}"
    return f"set {port} static-ip {job['ip']} vlan {job['vlan']} mac {job['mac']}"


def open_pyez(job):
    """Open a PyEZ session to the job's switch; the facts, which nobody reads here, are not gathered."""
    dev = Device(**login(job), gather_facts=False)
    dev.open()
    dev.timeout = COMMIT_TIMEOUT_S
    return dev


def push_pyez(dev, job, held):
    """Push one create over an open session: lock, back up, load, commit confirmed, confirm, unlock."""
    cu = Config(dev)
    try:
        cu.lock()
    except LockError as error:
        raise Locked(error.message) from error
    with held.measured():
        try:
            committed = dev.rpc.get_config(options={"database": "committed"})
            save_backup(job, etree.tostring(committed, encoding="unicode"))
            cu.load(binding(job), format="set")
            cu.commit(confirm=CONFIRM_MINUTES, comment=f"create {job['ip']}", timeout=COMMIT_TIMEOUT_S)
            cu.commit(timeout=COMMIT_TIMEOUT_S)
        finally:
            cu.unlock()
