"""What can be wrong with an image."""

from comity.runtime.containers.errors import ImageRefused


class ImageNotFound(ImageRefused):
    """No such image at the place where it was looked for."""


class ImageInvalid(ImageRefused):
    """The image is damaged, malicious, or of a form that is not supported."""
