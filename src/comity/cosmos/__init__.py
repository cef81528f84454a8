"""The package service: resolve a package against its options, render it, install it on Marathon."""
