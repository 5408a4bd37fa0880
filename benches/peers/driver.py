"""Starts a peer's workers on queues of their own, publishes creates to them, waits, and prints what came of it."""
import argparse
import importlib
import ipaddress
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PEERS = sorted(path.stem for path in HERE.glob("celery_*.py"))
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
POLL_S = 0.01
WORKERS_MAX = 32


def arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--amqp", required=True, metavar="URL")
    parser.add_argument("--inventory", required=True, type=Path, metavar="FILE", help="as `vmacd sim` writes it")
    parser.add_argument("--creates", required=True, type=int, metavar="N")
    parser.add_argument("--seconds", required=True, type=float, metavar="S", help="give up after this long")
    parser.add_argument("--workers", type=int, metavar="W", help="pushes at a time [default: one a switch, at most 32]")
    parser.add_argument("--user", default="vmacd", help="the switches' login")
    parser.add_argument("--password", default="vmacd")
    parser.add_argument("--keep", action="store_true", help="keep the logs, outcomes and backups; say where")
    return parser.parse_args()


@contextmanager
def run_directory(args, inventory):
    """Make the directory that driver and workers share, with the run's settings in it."""
    path = Path(tempfile.mkdtemp(prefix="peers."))
    try:
        for name in ("ready", "backups"):
            (path / name).mkdir()
        (path / "outcomes").touch()
        switches = {each["name"]: {"host": each["host"], "port": each["port"]} for each in inventory["switches"]}
        settings = {"amqp": args.amqp, "queue": path.name, "switches": switches}
        (path / "run.json").write_text(json.dumps({**settings, "user": args.user, "password": args.password}))
        os.environ["PEERS_RUN_DIR"] = str(path)
        yield path
    finally:
        if args.keep:
            print(f"kept: {path}", file=sys.stderr)
        else:
            shutil.rmtree(path, ignore_errors=True)


def jobs(inventory, count):
    """Make the creates: round robin over the servers, each with its next free address and a random MAC."""
    for number in range(count):
        lap, index = divmod(number, len(inventory["servers"]))
        server = inventory["servers"][index]
        port = server["ports"][0]
        yield {
            "switch": port["switch"],
            "interface": port["interface"],
            "ip": str(ipaddress.ip_address(server["primary_ip"]) + lap + 1),
            "vlan": server["vlan_name"],
            "mac": "02:" + secrets.token_bytes(5).hex(":"),
        }


def start_worker(peer, run_dir, name, queues, options):
    """Start one Celery worker in a process group of its own; it dies with this process, however that ends."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
    command = [sys.executable, "-m", "celery", "--app", peer, "worker", "--hostname", name, "--queues", ",".join(queues)]
    log = open(run_dir / f"{name}.log", "wb")
    with log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, *options, *quiet],
            cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )


def stop_workers(workers, timeout_s):
    """Let the workers end what they do, for so long, then end what is left of their groups."""
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        try:
            worker.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
    for worker in workers:
        try:
            os.killpg(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        worker.wait()


@contextmanager
def running(args, run_dir, plan):
    """Run the workers of the plan for the time of the block."""
    workers = []
    try:
        for number, (queues, options) in enumerate(plan):
            workers.append(start_worker(args.peer, run_dir, f"{run_dir.name}-{number}", queues, options))
        await_ready(workers, run_dir)
        yield
    finally:
        # An idle worker sleeps through SIGTERM, for seconds; there is nothing that it could end.
        idle = len(read_outcomes(run_dir)) >= args.creates
        stop_workers(workers, 0 if idle else STOP_TIMEOUT_S)


def await_ready(workers, run_dir):
    """Wait until every worker consumes, so that their start is not part of what is measured."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while len(list((run_dir / "ready").iterdir())) < len(workers):
        if time.monotonic() > deadline or any(worker.poll() is not None for worker in workers):
            for log in run_dir.glob("*.log"):
                sys.stderr.write(log.read_text()[-2000:])
            sys.exit("a worker did not start")
        time.sleep(POLL_S)


def measure(args, inventory, peer, routes, run_dir):
    """Publish the creates, wait for their outcomes until the time is over, and sum them up."""
    start = time.monotonic()
    for job in jobs(inventory, args.creates):
        peer.create.apply_async((job,), queue=routes[job["switch"]])
    while True:
        outcomes = read_outcomes(run_dir)
        seconds = time.monotonic() - start
        if len(outcomes) >= args.creates or seconds >= args.seconds:
            return summary(args.peer, outcomes, seconds)
        time.sleep(POLL_S)


def read_outcomes(run_dir):
    """Read the outcomes so far, one a task."""
    lines = (run_dir / "outcomes").read_text().splitlines()
    return {outcome["task"]: outcome for outcome in map(json.loads, lines)}


def summary(peer, outcomes, seconds):
    """Sum the outcomes up; the first error of each kind goes to stderr."""
    errors = [outcome["error"] for outcome in outcomes.values() if outcome["error"]]
    for error in sorted(set(errors))[:5]:
        print(error, file=sys.stderr)
    return {
        "peer": peer,
        "creates_done": len(outcomes) - len(errors),
        "seconds": round(seconds, 3),
        "failed": len(errors),
        "switch_seconds": round(sum(outcome["held_s"] for outcome in outcomes.values()), 3),
    }


def main():
    """Measure one peer."""
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    inventory = json.loads(args.inventory.read_text())
    with run_directory(args, inventory) as run_dir:
        peer = importlib.import_module(args.peer)
        routes, plan = peer.LAYOUT(args.workers or min(len(inventory["switches"]), WORKERS_MAX))
        try:
            with running(args, run_dir, plan):
                result = measure(args, inventory, peer, routes, run_dir)
        finally:
            peer.common.delete_queues(peer.app, routes)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
