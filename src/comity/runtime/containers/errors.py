"""Why a container cannot be started."""

from comity.core.errors import ComityError


class ContainerRefused(ComityError):
    """A container cannot be started as described; the text says why and what to do."""


class ImageRefused(ContainerRefused):
    """It is the image: not to be had here, or images do not run here at all."""
