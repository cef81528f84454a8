"""Small upstreams for cosmos, the gateway and the CLI: as much of each API as those three use.

Each is a real HTTP server on loopback whose state a test can read and change.
"""

import base64
import contextlib
import json

from comity.runtime.http import Request, Response, Router, Server, Stream


def answer(value, status=200, *headers) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json", tuple(headers))


class Upstream:
    """A server with a router; records the requests it got."""

    def __init__(self):
        self.router = Router()
        self.requests: list[Request] = []
        self.url = ""

    async def handle(self, request: Request):
        self.requests.append(request)
        return await self.router.handle(request)

    @contextlib.asynccontextmanager
    async def serving(self):
        server = Server(self.handle)
        host, port = await server.start("127.0.0.1", 0)
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await server.stop()


class FakeMarathon(Upstream):
    """Apps in a dict; a created app runs at once."""

    def __init__(self):
        super().__init__()
        self.apps: dict[str, dict] = {}
        self.deployments: list[dict] = []
        self.queue: list[dict] = []
        self.refusal: Response | None = None
        self.count = 0
        add = self.router.add
        add("GET", "/v2/apps", self.list_apps)
        add("POST", "/v2/apps", self.create)
        add("GET", "/v2/deployments", self.list_deployments)
        add("DELETE", "/v2/deployments/{id}", self.end_deployment)
        add("GET", "/v2/queue", self.list_queue)
        add("GET", "/v2/tasks", self.list_tasks)
        add("POST", "/v2/tasks/delete", self.delete_tasks)
        add("GET", "/v2/groups", self.groups)
        add("GET", "/v2/info", self.info)
        add("GET", "/ping", self.ping)
        add("GET", "/v2/apps/{id:path}/versions", self.versions)
        add("GET", "/v2/apps/{id:path}/tasks", self.app_tasks)
        add("DELETE", "/v2/apps/{id:path}/tasks", self.kill)
        add("POST", "/v2/apps/{id:path}/restart", self.restart)
        add("GET", "/v2/apps/{id:path}", self.get)
        add("PUT", "/v2/apps/{id:path}", self.update)
        add("DELETE", "/v2/apps/{id:path}", self.delete)

    def run(self, app: dict) -> dict:
        """Keep an app with its tasks running."""
        app = {"instances": 1, "cpus": 1.0, "mem": 128.0, "labels": {}, **app}
        app["id"] = "/" + app["id"].strip("/")
        name = app["id"].strip("/").replace("/", "_")
        app["tasks"] = [
            {
                "id": f"{name}.instance-{n}",
                "appId": app["id"],
                "host": "127.0.0.1",
                "ports": app.get("ports", [31000 + n, 31100 + n]),
                "state": "TASK_RUNNING",
                "role": "*",
            }
            for n in range(app["instances"])
        ]
        app["tasksRunning"] = app["tasksHealthy"] = len(app["tasks"])
        self.apps[app["id"]] = app
        return app

    def deployment(self) -> dict:
        self.count += 1
        return {"version": "2026-01-01T00:00:00.000Z", "deploymentId": f"deployment-{self.count}"}

    def missing(self, app_id: str) -> Response:
        return answer({"message": f"App '/{app_id.strip('/')}' does not exist"}, 404)

    def find(self, app_id: str) -> dict | None:
        return self.apps.get("/" + app_id.strip("/"))

    async def list_apps(self, request):
        apps = list(self.apps.values())
        if label := request.arg("label"):
            key, _, value = label.partition("==")
            apps = [a for a in apps if key in a["labels"] and value in ("", a["labels"][key])]
        return answer({"apps": apps})

    async def create(self, request):
        if self.refusal is not None:
            return self.refusal
        app = json.loads(request.body)
        if self.find(app["id"]) is not None:
            return answer({"message": f"An app with id [/{app['id']}] already exists."}, 409)
        kept = self.run(app)
        return answer({**kept, "deployments": [{"id": self.deployment()["deploymentId"]}]}, 201)

    async def get(self, request, id):
        app = self.find(id)
        return self.missing(id) if app is None else answer({"app": app})

    async def update(self, request, id):
        if self.refusal is not None:
            return self.refusal
        app = self.find(id)
        if app is None:
            return self.missing(id)
        self.run({**app, **json.loads(request.body), "id": id})
        return answer(self.deployment())

    async def delete(self, request, id):
        if self.find(id) is None:
            return self.missing(id)
        del self.apps["/" + id.strip("/")]
        return answer(self.deployment())

    async def restart(self, request, id):
        return self.missing(id) if self.find(id) is None else answer(self.deployment())

    async def versions(self, request, id):
        return answer({"versions": ["v2", "v1"]})

    async def app_tasks(self, request, id):
        app = self.find(id)
        return self.missing(id) if app is None else answer({"tasks": app["tasks"]})

    async def kill(self, request, id):
        app = self.find(id)
        if app is None:
            return self.missing(id)
        if request.arg("scale") == "true":
            return answer(self.deployment())
        return answer({"tasks": app["tasks"]})

    async def list_tasks(self, request):
        return answer({"tasks": [task for app in self.apps.values() for task in app["tasks"]]})

    async def delete_tasks(self, request):
        ids = json.loads(request.body)["ids"]
        tasks = [t for app in self.apps.values() for t in app["tasks"] if t["id"] in ids]
        return answer(self.deployment() if request.arg("scale") == "true" else {"tasks": tasks})

    async def list_deployments(self, request):
        return answer(self.deployments)

    async def end_deployment(self, request, id):
        if all(each["id"] != id for each in self.deployments):
            return answer({"message": f"DeploymentPlan {id} does not exist"}, 404)
        self.deployments = [each for each in self.deployments if each["id"] != id]
        return Response(202) if request.arg("force") == "true" else answer(self.deployment())

    async def list_queue(self, request):
        return answer({"queue": self.queue})

    async def groups(self, request):
        return answer({"id": "/", "apps": [], "groups": [{"id": "/g", "apps": [{}], "groups": []}]})

    async def info(self, request):
        return answer({"name": "marathon", "version": "1.11.0"})

    async def ping(self, request):
        return Response(200, b"pong", "text/plain")


class FakeMaster(Upstream):
    """A master's state; teardown removes a framework."""

    def __init__(self):
        super().__init__()
        self.frameworks: list[dict] = []
        self.agents: list[dict] = []
        for prefix in ("", "/master"):
            self.router.add("GET", f"{prefix}/state", self.state)
            self.router.add("GET", f"{prefix}/state-summary", self.state)
            self.router.add("GET", f"{prefix}/frameworks", self.list_frameworks)
            self.router.add("POST", f"{prefix}/teardown", self.teardown)
        self.router.add("GET", "/redirect", self.redirect)
        self.router.add("GET", "/version", self.version)

    async def state(self, request):
        return answer(
            {
                "id": "M",
                "pid": "master@127.0.0.1:5050",
                "hostname": "127.0.0.1",
                "slaves": self.agents,
                "frameworks": self.frameworks,
                "completed_frameworks": [],
            }
        )

    async def list_frameworks(self, request):
        return answer({"frameworks": self.frameworks})

    async def teardown(self, request):
        framework_id = request.body.decode().partition("=")[2]
        self.frameworks = [fw for fw in self.frameworks if fw["id"] != framework_id]
        return Response(200)

    async def redirect(self, request):
        return Response(307, headers=(("Location", f"//{self.url.partition('://')[2]}/state"),))

    async def version(self, request):
        return answer({"version": "1.11.0"})


class FakeAgent(Upstream):
    """Executors and a tree of files, by absolute path."""

    def __init__(self):
        super().__init__()
        self.executors: list[dict] = []
        self.files: dict[str, bytes] = {}
        self.router.add("GET", "/state", self.state)
        self.router.add("GET", "/files/browse", self.browse)
        self.router.add("GET", "/files/read", self.read)
        self.images: dict[str, bool] = {}
        self.router.add("GET", "/images", self.list_images)
        self.router.add("POST", "/images", self.pull_image)
        self.router.add("POST", "/api/v1", self.prune_images)

    async def list_images(self, request):
        shown = {"digest": f"sha256:{'a' * 64}", "layers": 2, "size_bytes": 1_500_000, "used_at": 0}
        images = [{"name": name, "in_use": used, **shown} for name, used in self.images.items()]
        pulls = [{"name": "slow", "done_bytes": 500, "total_bytes": 2000}]
        return answer({"images": images, "pulls": pulls})

    async def pull_image(self, request):
        name = json.loads(request.body)["name"]
        if name == "none":
            return Response(400, b"image none is not in the registry\n", "text/plain")
        self.images[name] = False
        return answer({"name": name})

    async def prune_images(self, request):
        kept = json.loads(request.body)["prune_images"]["excluded_images"]
        names = {one["docker"]["name"] for one in kept}
        self.images = {name: used for name, used in self.images.items() if used or name in names}
        return Response(200, b"")

    async def state(self, request):
        return answer({"frameworks": [{"id": "F", "executors": self.executors}]})

    async def browse(self, request):
        base = request.arg("path").rstrip("/")
        names = {p[len(base) + 1 :].split("/")[0] for p in self.files if p.startswith(base + "/")}
        if not names:
            return answer("no such directory", 404)
        entry = {"nlink": 1, "uid": "root", "gid": "root", "mtime": 0}
        return answer(
            [
                entry
                | {
                    "path": f"{base}/{name}",
                    "mode": "-rw-r--r--" if f"{base}/{name}" in self.files else "drwxr-xr-x",
                    "size": len(self.files.get(f"{base}/{name}", b"")),
                }
                for name in sorted(names)
            ]
        )

    async def read(self, request):
        data = self.files.get(request.arg("path"))
        if data is None:
            return answer("no such file", 404)
        offset = int(request.arg("offset", "-1"))
        if offset == -1:
            return answer({"data": "", "offset": len(data)})
        length = int(request.arg("length", str(len(data))))
        part = data[offset : offset + length]
        return answer({"data": part.decode("utf-8", "replace"), "offset": offset})


class FakeService(Upstream):
    """What runs behind /service/<name>: echoes, redirects, streams, and downloads."""

    def __init__(self):
        super().__init__()
        self.streams: list[Stream] = []
        self.router.add("*", "/echo{rest:path}", self.echo)
        self.router.add("*", "/echo", self.echo)
        self.router.add("GET", "/go", self.go)
        self.router.add("GET", "/events", self.events)
        self.router.add("GET", "/big", self.big)
        self.router.add("GET", "/broken", self.broken)
        self.router.add("GET", "/status/{code}", self.status)

    async def echo(self, request, rest=""):
        seen = {
            "method": request.method,
            "path": request.raw_path,
            "query": request.raw_query,
            "headers": request.headers,
            "body": base64.b64encode(request.body).decode(),
        }
        return answer(seen, 200, ("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))

    async def go(self, request):
        return Response(302, headers=(("Location", f"{self.url}/there?x=1"),))

    async def events(self, request):
        stream = Stream("text/event-stream")
        self.streams.append(stream)
        stream.send(b"data: first\n\n")
        return stream

    async def big(self, request):
        stream = Stream("application/octet-stream", (("Content-Disposition", "attachment"),))
        for _ in range(64):
            stream.send(b"x" * 65536)
        stream.close()
        return stream

    async def broken(self, request):
        stream = Stream("text/plain")
        stream.send(b"half")
        self.streams.append(stream)
        return stream

    async def status(self, request, code):
        return Response(int(code), b"" if code in ("204", "304") else b"text", "text/plain")
