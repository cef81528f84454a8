"""`comity kubernetes` as a process beside a Kernel, and a client of its API."""

import json
import signal
import ssl

from comity.runtime.http import Client
from comity.sdk.kubernetes import Api
from support.kernel import Process


class Kubernetes:
    """The control plane; `api` is the admin's client of it."""

    def __init__(self, directory, master_url):
        self.directory = directory / "k"
        self.process = Process(
            "comity.kube",
            directory / "kubernetes.log",
            *("--master", master_url, "--data-dir", str(self.directory), "--port", "0"),
        )
        self.api = None
        self._client = None

    async def __aenter__(self):
        self.directory.mkdir()
        await self.process.start()
        # A fixed port, so that executors find it again after a kill.
        argv = self.process.argv
        argv[argv.index("--port") + 1] = self.process.url.rpartition(":")[2]
        kubeconfig = json.loads((self.directory / "admin.kubeconfig").read_text())
        token = kubeconfig["users"][0]["user"]["token"]
        authority = (self.directory / "pki" / "ca.crt").read_text()
        self._client = Client(ssl=ssl.create_default_context(cadata=authority))
        self.api = Api(self.process.url, token, self._client)
        return self

    async def restart(self):
        await self.process.end(signal.SIGKILL)
        self.process.url = ""
        await self.process.start()

    async def __aexit__(self, *error):
        if self._client is not None:
            await self._client.close()
        await self.process.end()
