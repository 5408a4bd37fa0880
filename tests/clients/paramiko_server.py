"""An SSH server made with paramiko in front of a NETCONF server on a TCP port.

It says the hello before it answers the request for the subsystem, as paramiko's own subsystem handlers may do. It prints its port
and its host key's fingerprint, and ends with its standard input.
"""
import argparse
import base64
import hashlib
import json
import socket
import sys
import threading

import paramiko

MARK = b"]]>]]>"


class Netconf(paramiko.ServerInterface):
    """Takes any login and any channel, and has one subsystem."""

    def __init__(self, netconf_port):
        """Keep where NETCONF is."""
        self.netconf_port = netconf_port

    def get_allowed_auths(self, username):
        """Offer passwords alone."""
        return "password"

    def check_auth_password(self, username, password):
        """Take any password."""
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, channel_id):
        """Take sessions."""
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_subsystem_request(self, channel, name):
        """Say the hello; what is returned is the answer, which paramiko sends after this."""
        if name != "netconf":
            return False
        switch = socket.create_connection(("127.0.0.1", self.netconf_port))
        hello = b""
        while MARK not in hello:
            hello += switch.recv(4096)
        channel.sendall(hello)
        threading.Thread(target=copy, args=(channel, switch), daemon=True).start()
        threading.Thread(target=copy, args=(switch, channel), daemon=True).start()
        return True


def copy(source, target):
    """Copy until the source ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    target.close()


def serve(listener, key, netconf_port):
    """Accept connections for ever."""
    transports = []
    while True:
        client, _ = listener.accept()
        transport = paramiko.Transport(client)
        transport.add_server_key(key)
        transport.start_server(event=threading.Event(), server=Netconf(netconf_port))
        transports.append(transport)


def main():
    """Start the server, say where it is, and wait for the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--netconf-port", type=int, required=True)
    args = parser.parse_args()
    key = paramiko.ECDSAKey.generate(bits=256)
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, key, args.netconf_port), daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1], "fingerprint": f"SHA256:{digest}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
