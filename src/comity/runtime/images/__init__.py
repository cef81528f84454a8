"""Images: where they come from (`sources`), how layers are unpacked, and the `store` of both.

A layer is unpacked once, into a directory named by its digest; a container's root is an overlay
over the layers of its image. Blobs are checked against their digests before they are unpacked.
"""
