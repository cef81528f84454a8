"""Wire types: one module per upstream document, msgspec Structs without behaviour."""
