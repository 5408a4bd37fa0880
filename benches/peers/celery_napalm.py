"""Peer: Celery and NAPALM. As celery_pyez, with the junos driver's calls, its lock held from opening to closing."""
import napalm
from napalm.base.exceptions import ConnectionException, LockError

import common

LAYOUT = common.shared_queue
JUNOS = napalm.get_network_driver("junos")


def driver_for(job):
    """Make the driver; config_lock holds the candidate for the whole session, not for the first commit only."""
    to = common.login(job)
    options = {"port": to["port"], "config_lock": True}
    return JUNOS(to["host"], to["user"], to["password"], timeout=common.COMMIT_TIMEOUT_S, optional_args=options)


def open_locked(driver):
    """Open the session and take the lock."""
    try:
        driver.open()
    except LockError as error:
        driver.close()
        raise common.Locked(str(error)) from error


def push(job, held):
    """Push one create in a session of its own; the lock is the last step of opening and the first of closing."""
    driver = driver_for(job)
    open_locked(driver)
    with held.measured():
        try:
            common.save_backup(job, driver.get_config(retrieve="running")["running"])
            driver.load_merge_candidate(config=common.binding(job))
            if driver.compare_config():
                driver.commit_config(message=f"create {job['ip']}", revert_in=60 * common.CONFIRM_MINUTES)
                driver.confirm_commit()
        finally:
            driver._unlock()
    driver.close()


app = common.make_app(LAYOUT)
create = common.make_task(app, push)
