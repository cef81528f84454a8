"""The Kubernetes API over HTTP: `serving` routes, `requests` reads, `nodes` reaches kubelets."""

from comity.kube.apiserver.http.serving import ApiHttp

__all__ = ["ApiHttp"]
